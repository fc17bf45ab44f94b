import { clusterStatus } from '../../lib/client/cluster-status.ts';
import { byteSize } from '../../lib/format-bytes.ts';
import { everyNode } from '../../lib/models/node.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { printable } from '../../lib/printable.ts';
import { persistenceProblems } from '../../lib/redis/persistence.ts';
import type { Context } from '../context.ts';

/** Reads the counters of node records and indexes, no volume record. */
export async function showStatus(context: Context): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const [page, count, ofRedis] = await Promise.all([
    everyNode(store),
    volumesOf(store).count(store.keys.volumes()),
    persistenceProblems(store),
  ]);
  const { problems, nodes, totalBytes, freeBytes, underWay } = clusterStatus(page, ofRedis);
  const messages = problems.map(({ message }) => message);
  if (output.json) {
    await output.document({ problems: messages, nodes, totalBytes, freeBytes, volumes: count, underWay });
    return;
  }
  for (const problem of messages) await output.line(`${output.paint('red', '!')} ${printable(problem)}`);
  if (messages.length > 0) await output.line('');
  const { up, ...others } = nodes;
  const notUp = Object.entries(others).flatMap(([state, many]) => (many > 0 ? [`${many} ${state}`] : []));
  await output.write(
    [
      `nodes     ${[`${up} up`, ...notUp].join(', ')}`,
      `capacity  ${byteSize(freeBytes)} free of ${byteSize(totalBytes)} (nodes that are up)`,
      `volumes   ${count}`,
      `under way ${underWay}`,
      '',
    ].join('\n'),
  );
}
