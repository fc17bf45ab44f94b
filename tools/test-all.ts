/**
 * `npm run test:all`: all tests, in parts, for hours. A result holds until what the part depends on changes: an interrupted run
 * continues, failed parts run again, and test/all-results.json keeps results for everybody.
 */
import path from 'node:path';
import { presentCommit } from './part-inputs.ts';
import { PartResults, holds } from './part-results.ts';
import { type Part, parts } from './parts.ts';
import { programOptions, refuse } from './program-options.ts';
import { type Ended, report, runStage } from './stages.ts';

const maxMinutes = 40;
const root = path.resolve(import.meta.dirname, '..');

const usage = `npm run test:all                    runs the parts that have not passed on this code
npm run test:all -- --list          prints the parts with their results, and what has changed since
npm run test:all -- --part NAME     runs this part, or those whose names begin with NAME-, even if they passed; can be repeated
npm run test:all -- --record        writes the parts that passed to test/all-results.json`;

const values = programOptions(usage, {
  list: { type: 'boolean', default: false },
  record: { type: 'boolean', default: false },
  part: { type: 'string', multiple: true, default: [] },
});
const results = new PartResults(root);
await results.read();
const all = parts();
const chosen = values.part.length === 0 ? await missing() : all.filter(isNamed);

for (const name of values.part) {
  if (all.some((part) => isCalled(part, name))) continue;
  refuse(usage, `no part ${name}; npm run test:all -- --list prints them`);
}
if (values.list) for (const part of all) console.log(`${part.name.padEnd(48)} ${await describeResult(part)}`);
else if (values.record) console.log(`written: ${await results.record(all)}`);
else process.exitCode = await runAll(chosen);

/** Returns the exit code. */
async function runAll(stages: readonly Part[]): Promise<number> {
  const commit = await presentCommit(root);
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
    if (!(await results.keep(stage, commit, outcome)))
      console.log(`the result of ${stage.name} is not kept: what it depends on differs from ${commit}`);
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

/** Returns the parts that have not passed on the present code. */
async function missing(): Promise<Part[]> {
  const passed = new Set<Part>();
  for (const part of all) {
    const result = await results.of(part);
    if (result && holds(result) && result.failed === 0) passed.add(part);
  }
  return all.filter((part) => !passed.has(part));
}

async function describeResult(part: Part): Promise<string> {
  const result = await results.of(part);
  if (!result) return '-';
  const { failed, seconds, date, commit, changed } = result;
  const outcome = `${failed === 0 ? 'passed' : 'failed'} on ${date} at ${commit}, ${(seconds / 60).toFixed(1)} min`;
  if (!changed) return `${outcome}; this commit is not in the repository`;
  const more = changed.length > 3 ? `, and ${changed.length - 3} more` : '';
  return holds(result) ? outcome : `${outcome}; changed since: ${changed.slice(0, 3).join(', ')}${more}`;
}
