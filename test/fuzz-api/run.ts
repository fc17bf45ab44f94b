import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

/** npm run fuzz:api -- --requests N --seed S */
const { values } = parseArgs({
  options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const [requests, seed] = [Number(values.requests), Number(values.seed)];
const began = performance.now();
const { statuses, problems, grownBytes, slowestMs } = await fuzz({ requests, seed });
const seconds = (performance.now() - began) / 1000;
const counts = [...statuses].toSorted(([one], [other]) => one - other).map(([status, count]) => `${status}: ${count}`);
for (const problem of problems) console.log(problem);
console.log(
  `${requests} requests, seed ${seed}, ${seconds.toFixed(0)} s, slowest ${slowestMs.toFixed(0)} ms, ` +
    `heap ${(grownBytes / 2 ** 20).toFixed(1)} MiB more; ${counts.join(', ')}; ${problems.length} problems`,
);
if (problems.length > 0) process.exitCode = 1;
