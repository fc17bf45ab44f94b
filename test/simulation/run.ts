import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { programOptions, wholeNumber } from '../../tools/program-options.ts';
import type { Outcome } from './simulation.ts';

const usage = `npm run simulate -- [--seed N] [--hours H] [--seeds COUNT] [--jobs J]
simulates H hours (24) of a cluster for each of COUNT seeds (1) from N (1) on, J side by side (one per processor). What does not hold
is printed with its seed and the last of what happened; the exit code is then 1.`;
const values = programOptions(usage, {
  seed: { type: 'string', default: '1' },
  hours: { type: 'string', default: '24' },
  seeds: { type: 'string', default: '1' },
  jobs: { type: 'string', default: String(availableParallelism()) },
});
const first = wholeNumber(usage, 'seed', values.seed);
const hours = wholeNumber(usage, 'hours', values.hours, 1);
const count = wholeNumber(usage, 'seeds', values.seeds, 1);
const jobs = wholeNumber(usage, 'jobs', values.jobs, 1);

/** Most of what a simulated hour allocates is soon garbage. */
const youngGenerationMb = 128;
const begin = performance.now();
const totals = new Map<string, number>();
const failed: number[] = [];
let simulated = 0;
let compared = 0;
let next = first;
const end = next + count;

await Promise.all(Array.from({ length: Math.min(jobs, count) }, work));

const each = [...totals].toSorted(([one], [other]) => (one < other ? -1 : 1));
console.log(`\n${each.map(([what, times]) => `${String(times).padStart(8)}  ${what}`).join('\n')}`);
console.log(
  `\n${count} seeds, ${Math.round(simulated)} hours of three nodes in ${seconds(begin)} s, compared ${compared} times: ${
    failed.length === 0 ? 'clean' : `${failed.length} failed, with the seeds ${failed.join(' ')}`
  }`,
);
process.exitCode = failed.length > 0 ? 1 : 0;

async function work(): Promise<void> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: youngGenerationMb },
  });
  for (let seed = next++; seed < end; seed = next++) {
    const start = performance.now();
    const answered = once(worker, 'message');
    worker.postMessage({ seed, hours }, []);
    const [outcome]: Outcome[] = await answered;
    if (outcome) tell(outcome, start);
  }
  await worker.terminate();
}

function tell(outcome: Outcome, start: number): void {
  const { seed, violations, counts, comparisons, fingerprint, last } = outcome;
  simulated += outcome.hours;
  compared += comparisons;
  for (const [what, times] of counts) totals.set(what, (totals.get(what) ?? 0) + times);
  if (violations.length > 0) {
    failed.push(seed);
    console.log(
      `\n${last.join('\n')}\n\nseed ${seed}, ${outcome.hours.toFixed(1)} h from the beginning:\n${violations.join('\n')}\n`,
    );
  }
  const result = violations.length === 0 ? 'clean' : 'FAILED';
  const times = `compared ${comparisons} times`;
  console.log(
    `seed ${seed}: ${result}, ${outcome.hours.toFixed(1)} h in ${seconds(start)} s, ${times}, ${fingerprint}`,
  );
}

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}
