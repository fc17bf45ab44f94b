/**
 * `npm run crash [backend [operation [numbers [before|after]]]]`: kills daemons at every point of every operation, or at some
 * (`7`, `60-`, `60-80`, `states`: one for each state that they can be left in), and prints a line for each point and each
 * operation. Each point is met with every way of asking again, each state with one, as in `npm test`.
 */
import { type CrashBackend, backends } from './backends.ts';
import type { Point } from './plan.ts';
import { scenes } from './scenes.ts';
import { oneForEachState } from './states.ts';
import type { Failure } from './sweep.ts';
import { inWords, sweep, told } from './sweeping.ts';

const [backend, operation, numbers = '1-', moment] = process.argv.slice(2);
const isOfStates = numbers === 'states';
const range = /^(\d+)(-?)(\d*)$/.exec(isOfStates ? '1-' : numbers);
const isKnown = (word: string | undefined, known: object) => word === undefined || Object.hasOwn(known, word);
if (!isKnown(backend, backends) || !isKnown(operation, scenes) || !range) {
  const list = [backends, scenes].map((known) => Object.keys(known).join('|'));
  console.error(`crash: [${list[0]} [${list[1]} [number|from-|from-to|states [before|after]]]]`);
  process.exit(2);
}
const [, from, dash, to] = range;
const [first, last] = [Number(from), dash ? Number(to || Infinity) : Number(from)];

function choose(points: Point[]): Point[] {
  return (isOfStates ? oneForEachState(points) : points).filter(
    (point) => point.number >= first && point.number <= last && (moment === undefined || point.moment === moment),
  );
}

async function sweepAll(name: string, where: CrashBackend): Promise<void> {
  const reason = await where.missing();
  if (reason !== undefined) return console.log(`${name}: skipped, ${reason}`);
  const place = await where.place();
  process.on('SIGINT', () => void place.close().finally(() => process.exit(130)));
  try {
    for (const one of operation === undefined ? Object.keys(scenes) : [operation]) {
      const each = ({ number, moment: when, name: effect }: Point, failures: readonly Failure[]) => {
        console.log(`${one} ${number} ${when} ${effect}: ${failures.length === 0 ? 'well' : 'FAILED'}`);
        for (const failure of failures) console.log(told({ backend: name, operation: one }, failure));
      };
      const swept = await sweep(name, place, one, { choose, everyWay: !isOfStates, each });
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
