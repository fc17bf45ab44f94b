/** npm run chaos: injects faults in a lab of machines for a while; exits with 1 on a violation. */
import { appendFile, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { programOptions, wholeNumber } from '../../../tools/program-options.ts';
import { runChaos } from './chaos.ts';

const usage = `npm run chaos -- [--minutes N] [--nodes N] [--seed S]
random faults in a lab of machines, for so many minutes (10), on so many storage nodes (3), from a seed (one of the clock)`;
const values = programOptions(usage, {
  minutes: { type: 'string', default: '10' },
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  nodes: { type: 'string', default: '3' },
});
const minutes = wholeNumber(usage, 'minutes', values.minutes, 1);
const nodes = wholeNumber(usage, 'nodes', values.nodes, 1);
const seed = wholeNumber(usage, 'seed', values.seed);
const logs = path.join(import.meta.dirname, '../../../var/chaos', String(seed));
await rm(logs, { recursive: true, force: true });
await mkdir(logs, { recursive: true });
console.log(`chaos with seed ${seed}; logs of the daemons go to ${logs}`);
const journal = await runChaos({
  minutes,
  nodes,
  seed,
  print: (line) => console.log(line),
  keep: (node, log) => appendFile(path.join(logs, `${node}.log`), log),
});
console.log(['', ...journal.summary()].join('\n'));
if (journal.violations.length > 0) {
  console.log(`\nnot well with --seed ${seed}:\n${journal.violations.join('\n')}`);
  process.exitCode = 1;
} else console.log('all is well');
