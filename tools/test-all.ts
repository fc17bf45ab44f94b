/**
 * `npm run test:all`: all tests, in parts, for hours. A result holds as long as the content of what the part depends on: an
 * interrupted run continues, failed parts run again, and test/all-results.json keeps results for everybody.
 *
 *   -- --list         prints the parts with their results
 *   -- --part NAME    runs this part, or those whose names begin with NAME-, even if they passed; can be repeated
 *   -- --record       writes the results that hold to test/all-results.json
 */
import { parseArgs } from 'node:util';
import { inputsOf, inputsOfScopes } from './part-inputs.ts';
import { PartResults } from './part-results.ts';
import { type Part, parts } from './parts.ts';
import { type Ended, report, runStage } from './stages.ts';

const maxMinutes = 40;

const { values } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true, default: [] },
  },
});
const inputs = await inputsOfScopes();
const results = new PartResults(inputs);
await results.read();
const all = parts();
const chosen = values.part.length === 0 ? all.filter((part) => results.of(part)?.failed !== 0) : all.filter(isNamed);

for (const name of values.part) {
  if (all.some((part) => isCalled(part, name))) continue;
  console.error(`test:all: no part ${name}; npm run test:all -- --list prints them`);
  process.exit(2);
}
if (values.list) for (const part of all) console.log(`${part.name.padEnd(36)}${describeResult(part)}`);
else if (values.record) console.log(`written: ${await results.record(all)}`);
else process.exitCode = await runAll(chosen);

/** Returns the exit code. */
async function runAll(stages: readonly Part[]): Promise<number> {
  let isInterrupted = false;
  // The part gets the signal as well, and cleans up.
  process.on('SIGINT', () => {
    isInterrupted = true;
  });
  const ended: Ended[] = [];
  console.log(`${stages.length} of ${all.length} parts`);
  for (const stage of stages) {
    const outcome = await runStage(stage);
    if (isInterrupted) break;
    ended.push(outcome);
    if (outcome.seconds > maxMinutes * 60)
      console.log(`${stage.name} took longer than ${maxMinutes} minutes: divide it`);
    if ((await inputsOf(stage.scope)) === inputs[stage.scope]) await results.keep(stage, outcome);
    else console.log(`the result of ${stage.name} is not kept: the code has changed since the beginning`);
  }
  const { failed } = report(ended);
  if (isInterrupted) return 130;
  return failed > 0 ? 1 : 0;
}

function isCalled({ name }: Part, prefix: string): boolean {
  return name === prefix || name.startsWith(`${prefix}-`);
}

function isNamed(part: Part): boolean {
  return values.part.some((name) => isCalled(part, name));
}

function describeResult(part: Part): string {
  const result = results.of(part);
  if (!result) return '-';
  const { failed, seconds, date } = result;
  return `${failed === 0 ? 'passed' : 'failed'} on ${date}, ${(seconds / 60).toFixed(1)} min`;
}
