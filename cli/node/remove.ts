import { removeNode } from '../../lib/client/remove-node.ts';
import type { Context } from '../context.ts';

/** Removes a node that has no volumes. Throws NodeNotFound, NodeUp, NodeHasVolumes, AddressesQuarantined. */
export async function removeNodeRecord(context: Context, name: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  await removeNode(session.store, name, { topic: session.flags.volume_topic });
  if (output.json) await output.document({ node: name, removed: true });
  else await output.line(`node ${name} is removed`);
}
