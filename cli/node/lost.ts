import { declareLost } from '../../lib/client/declare-lost.ts';
import type { Unreadable } from '../../lib/models/records.ts';
import type { Context } from '../context.ts';
import { plural } from '../format.ts';
import { Progress } from '../progress.ts';

/** Declares a node lost, and marks its volumes. Throws NodeNotFound, NodeUp. */
export async function declareNodeLost(context: Context, name: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const progress = new Progress(output, `node ${name}`);
  const unreadable: Unreadable[] = [];
  const volumes = await declareLost(session.store, name, {
    topic: session.flags.volume_topic,
    onProgress: (done) => progress.update(`node ${name}: ${plural(done, 'volume')} marked`),
    onUnreadable: (record) => unreadable.push(record),
  }).finally(() => progress.end());
  if (output.json) await output.document({ node: name, volumes, unreadable: unreadable.map(({ id }) => id) });
  else await output.line(`node ${name} is declared lost, with ${plural(volumes, 'volume')}`);
  for (const { id, reason } of unreadable) output.warn(`volume ${id} stays as it is: its record ${reason}`);
}
