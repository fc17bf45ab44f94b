import { removeNode } from '../../lib/client/remove-node.ts';
import type { Context } from '../context.ts';

/** Removes a node that has no volumes. Throws NodeNotFound, NodeUp, NodeHasVolumes, AddressesQuarantined. */
export async function removeNodeRecord(context: Context, name: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { volume_topic: topic, address_quarantine: quarantineS } = session.flags;
  await removeNode(session.store, name, { topic, quarantineMs: quarantineS * 1000 });
  if (output.json) await output.document({ node: name, removed: true });
  else await output.line(`node ${name} is removed`);
}
