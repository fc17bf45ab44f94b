/**
 * `npm run crash [backend [operation [points [before|after]]]]`: kills daemons at every point of every operation, or at some
 * (`7`, `60-`, `60-80`; `2/3`: the second third of all; `states`: one for each state that they can be left in, `states 1/2`: half of
 * these), and prints a line for each point and each operation. Each point is met with every way of asking again; of states and
 * parts each with one, in turn.
 */
import { type CrashBackend, backends, scenesOn } from './backends.ts';
import { type Choice, choiceForms, parseChoice } from './choice.ts';
import type { Point } from './plan.ts';
import type { Failure } from './sweep.ts';
import { summarize, sweep, describeFailure } from './in-parallel.ts';

const [backend, operation, words = '1-', second] = process.argv.slice(2);
const choice = parseChoice(words, second);
const operations = Object.fromEntries(Object.values(backends).flatMap((one) => Object.entries(scenesOn(one))));
const isKnown = (word: string | undefined, known: object) => word === undefined || Object.hasOwn(known, word);
if (!choice || !isKnown(backend, backends) || !isKnown(operation, operations)) {
  const list = [backends, operations].map((known) => Object.keys(known).join('|'));
  console.error(`crash: [${list[0]} [${list[1]} [${choiceForms} [before|after]]]]`);
  process.exit(2);
}

async function sweepAll(name: string, where: CrashBackend, chosen: Choice): Promise<void> {
  const reason = await where.missing();
  if (reason !== undefined) return console.log(`${name}: skipped, ${reason}`);
  const place = await where.place();
  process.on('SIGINT', () => void place.close().finally(() => process.exit(130)));
  try {
    for (const one of Object.keys(scenesOn(where)).filter((each) => operation === undefined || each === operation)) {
      const each = ({ number, moment: when, name: effect }: Point, failures: readonly Failure[]) => {
        console.log(`${one} ${number} ${when} ${effect}: ${failures.length === 0 ? 'well' : 'FAILED'}`);
        for (const failure of failures) console.log(describeFailure({ backend: name, operation: one }, failure));
      };
      const swept = await sweep(name, place, one, { ...chosen, each });
      console.log(`${name.padEnd(9)} ${one.padEnd(7)} ${summarize(swept)}`);
      if (swept.failures.length > 0 || swept.runs === 0) process.exitCode = 1;
    }
  } finally {
    await place.close();
  }
}

for (const [name, one] of Object.entries(backends)) {
  if (backend === undefined || backend === name) await sweepAll(name, one, choice);
}
