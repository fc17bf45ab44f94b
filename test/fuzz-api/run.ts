import { programOptions, refuse, wholeNumber } from '../../tools/program-options.ts';
import { fuzz } from './fuzz.ts';

const usage = `npm run fuzz:api -- [--service block-storage|identity] [--requests N] [--seed S]
N random requests to a service (100000 to block-storage), from a seed (1)`;
const values = programOptions(usage, {
  service: { type: 'string', default: 'block-storage' },
  requests: { type: 'string', default: '100000' },
  seed: { type: 'string', default: '1' },
});
const requests = wholeNumber(usage, 'requests', values.requests, 1);
const seed = wholeNumber(usage, 'seed', values.seed);
const { service } = values;
if (service !== 'block-storage' && service !== 'identity')
  refuse(usage, `--service ${service}: there is no such service`);
const began = performance.now();
const { statuses, neverServed, problems, grownBytes, slowestMs, slowestCall } = await fuzz({ service, requests, seed });
const seconds = (performance.now() - began) / 1000;
const counts = [...statuses].toSorted(([one], [other]) => one - other).map(([status, count]) => `${status}: ${count}`);
for (const problem of problems) console.log(problem);
if (neverServed.length > 0) console.log(`never answered with success: ${neverServed.join(', ')}`);
console.log(
  `${requests} requests, seed ${seed}, ${seconds.toFixed(0)} s, slowest ${slowestMs.toFixed(0)} ms (${slowestCall}), ` +
    `heap ${(grownBytes / 2 ** 20).toFixed(1)} MiB more; ${counts.join(', ')}; ${problems.length} problems`,
);
if (problems.length > 0) process.exitCode = 1;
