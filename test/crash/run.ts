/**
 * `npm run crash [backend [operation [number before|after]]]`: kills daemons at every point of every operation, or at one, and
 * prints a line for each operation.
 */
import { type CrashBackend, backends } from './backends.ts';
import type { Point } from './plan.ts';
import { scenes } from './scenes.ts';
import { inWords, sweep, told } from './sweeping.ts';

const [backend, operation, number, moment] = process.argv.slice(2);
const isKnown = (word: string | undefined, known: object) => word === undefined || Object.hasOwn(known, word);
if (!isKnown(backend, backends) || !isKnown(operation, scenes)) {
  const list = [backends, scenes].map((known) => Object.keys(known).join('|'));
  console.error(`crash: [${list[0]} [${list[1]} [number before|after]]]`);
  process.exit(2);
}

function choose(points: Point[]): Point[] {
  return points.filter((point) => number === undefined || (point.number === Number(number) && point.moment === moment));
}

async function sweepAll(name: string, where: CrashBackend): Promise<void> {
  const reason = await where.missing();
  if (reason !== undefined) return console.log(`${name}: skipped, ${reason}`);
  const place = await where.place();
  process.on('SIGINT', () => void place.close().finally(() => process.exit(130)));
  try {
    for (const one of operation === undefined ? Object.keys(scenes) : [operation]) {
      const swept = await sweep(name, place, one, { choose, everyWay: true });
      for (const failure of swept.failures) console.log(told(swept, failure));
      console.log(`${name.padEnd(9)} ${one.padEnd(7)} ${inWords(swept)}`);
      if (swept.failures.length > 0 || swept.runs === 0) process.exitCode = 1;
    }
  } finally {
    await place.close();
  }
}

for (const [name, one] of Object.entries(backends)) {
  if (backend === undefined || backend === name) await sweepAll(name, one);
}
