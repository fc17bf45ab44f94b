import test from 'ava';
import { runChaos } from './chaos/chaos.ts';

test('after a minute of random faults under load all acknowledged changes persist', async (t) => {
  const lines: string[] = [];
  const journal = await runChaos({
    minutes: 1,
    // The first minute has killed and stopped daemons, a power loss, partitions, a hang and a failover of Redis.
    seed: 32,
    nodes: 3,
    print: (line) => lines.push(line),
    keep: async (node, log) => void lines.push(`log of ${node}:`, log),
  });
  for (const line of journal.summary()) t.log(line);
  t.deepEqual(journal.violations, [], lines.join('\n'));
});
