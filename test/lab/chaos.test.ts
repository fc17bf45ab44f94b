import test from 'ava';
import { runChaos } from './chaos/chaos.ts';

test('after a minute of random faults under load all acknowledged changes persist', async (t) => {
  const lines: string[] = [];
  const journal = await runChaos({
    minutes: 1,
    // Its first minute has daemons killed and stopped, a power loss, partitions, a hang, and Redis failing over.
    seed: 32,
    nodes: 3,
    print: (line) => lines.push(line),
    keep: async (node, log) => void lines.push(`log of ${node}:`, log),
  });
  for (const line of journal.summary()) t.log(line);
  t.deepEqual(journal.violations, [], lines.join('\n'));
});
