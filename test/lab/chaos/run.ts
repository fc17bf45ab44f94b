/** npm run chaos: injects faults in a lab of machines for a while; exits with 1 on a violation. */
import { appendFile, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    nodes: { type: 'string', default: '3' },
  },
});
const seed = Number(values.seed);
const logs = path.join(import.meta.dirname, '../../../var/chaos', String(seed));
await rm(logs, { recursive: true, force: true });
await mkdir(logs, { recursive: true });
console.log(`chaos with seed ${seed}; logs of the daemons go to ${logs}`);
const journal = await runChaos({
  minutes: Number(values.minutes),
  nodes: Number(values.nodes),
  seed,
  print: (line) => console.log(line),
  keep: (node, log) => appendFile(path.join(logs, `${node}.log`), log),
});
console.log(['', ...journal.summary()].join('\n'));
if (journal.violations.length > 0) {
  console.log(`\nnot well with --seed ${seed}:\n${journal.violations.join('\n')}`);
  process.exitCode = 1;
} else console.log('all is well');
