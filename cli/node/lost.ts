import { Node } from '../../lib/models/node.ts';
import type { Context } from '../context.ts';
import { plural } from '../format.ts';

/** Declares a node lost. Throws NodeNotFound, NodeUp. */
export async function declareLost(context: Context, name: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const volumes = await Node.lose(session.store, name, session.flags.volume_topic);
  if (output.json) await output.document({ node: name, volumes });
  else await output.line(`node ${name} is declared lost, with ${plural(volumes, 'volume')}`);
}
