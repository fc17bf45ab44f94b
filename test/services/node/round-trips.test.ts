import test from 'ava';
import { Cluster } from '../../support/cluster.ts';

test('a whole create takes at most four round trips to Redis', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  await cluster.node('n1', { report_interval: '60', node_down_time: '600' });
  const commands = await cluster.commands();
  const create = () => commands.create({ size: 1, userId: 'user', projectId: 'project' }, { deadlineMs: 10_000 });
  await create(); // scripts are loaded, the answers are subscribed to
  const monitor = await (await cluster.store()).redis.monitor();
  t.teardown(() => monitor.disconnect());
  const sent: string[] = [];
  const marker = Promise.withResolvers<void>();
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    if (args[0]?.toUpperCase() === 'ECHO') marker.resolve();
    else if (source !== 'lua') sent.push(args[0]?.toLowerCase() ?? '');
  });
  const volumes = 3;
  for (let count = 0; count < volumes; count += 1) await create();
  await (await cluster.store()).redis.echo('end');
  await marker.promise;
  const trips = sent.filter((name) => name === 'evalsha' || name === 'xreadgroup');
  t.deepEqual(
    [...new Set(sent)].filter((name) => !['evalsha', 'xreadgroup', 'client', 'info', 'hello', 'select'].includes(name)),
    [],
  );
  // One XREADGROUP was waiting before the first, one waits after the last.
  t.true(trips.length <= 4 * volumes, trips.join(' '));
});
