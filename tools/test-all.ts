/**
 * `npm run test:all`: all tests, in parts, for hours. Results are stored under var/test-all/ for this commit and the changes to
 * it: an interrupted run continues, and failed parts run again.
 *
 *   -- --list         prints the parts with their results
 *   -- --part NAME    runs this part, or those whose names begin with NAME-, even if they passed; can be repeated
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { z } from 'zod';
import { sampleName } from '../test/support/sample.ts';
import { parts } from './parts.ts';
import { type Ended, type Stage, report, runStage } from './stages.ts';

const root = path.resolve(import.meta.dirname, '..');
const maxMinutes = 40;
const doneSchema = z.record(
  z.string(),
  z.object({ passed: z.number(), failed: z.number(), skipped: z.number(), seconds: z.number() }),
);
type Done = z.infer<typeof doneSchema>;

const { values } = parseArgs({
  options: { list: { type: 'boolean', default: false }, part: { type: 'string', multiple: true, default: [] } },
});
const stateFile = path.join(root, 'var', 'test-all', `${sampleName}${await changes()}.json`);
const done = await readDone();
const all = parts();
const chosen = values.part.length === 0 ? all.filter(({ name }) => !hasPassed(name)) : all.filter(isNamed);

for (const name of values.part) {
  if (all.some((part) => isCalled(part, name))) continue;
  console.error(`test:all: no part ${name}; npm run test:all -- --list prints them`);
  process.exit(2);
}
if (values.list) for (const { name } of all) console.log(`${name.padEnd(32)}${describeDone(name)}`);
else process.exitCode = await runAll(chosen);

/** Returns the exit code. */
async function runAll(stages: readonly Stage[]): Promise<number> {
  let isInterrupted = false;
  // The part gets the signal as well, and cleans up.
  process.on('SIGINT', () => {
    isInterrupted = true;
  });
  const ended: Ended[] = [];
  console.log(`${stages.length} of ${all.length} parts; what has passed is kept in ${path.relative(root, stateFile)}`);
  for (const stage of stages) {
    const outcome = await runStage(stage);
    if (isInterrupted) break;
    ended.push(outcome);
    if (outcome.seconds > maxMinutes * 60)
      console.log(`${stage.name} took longer than ${maxMinutes} minutes: divide it`);
    await keep(outcome);
  }
  const { failed } = report(ended);
  if (isInterrupted) return 130;
  return failed > 0 ? 1 : 0;
}

function isCalled({ name }: Stage, prefix: string): boolean {
  return name === prefix || name.startsWith(`${prefix}-`);
}

function isNamed(stage: Stage): boolean {
  return values.part.some((name) => isCalled(stage, name));
}

function hasPassed(name: string): boolean {
  return done[name]?.failed === 0;
}

function describeDone(name: string): string {
  const one = done[name];
  if (!one) return '-';
  return `${one.failed === 0 ? 'passed' : 'failed'}, ${(one.seconds / 60).toFixed(1)} min`;
}

async function readDone(): Promise<Done> {
  const text = await readFile(stateFile, 'utf8').catch(() => '{}');
  return doneSchema.parse(JSON.parse(text));
}

/** Another part can have run at the same time. */
async function keep({ name, passed, failed, skipped, seconds }: Ended): Promise<void> {
  const state = { ...(await readDone()), [name]: { passed, failed, skipped, seconds } };
  await mkdir(path.dirname(stateFile), { recursive: true });
  await writeFile(`${stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${stateFile}.new`, stateFile);
}

/** Returns a name for the uncommitted changes; '' without changes, or outside git. */
async function changes(): Promise<string> {
  const git = execa({ cwd: root, reject: false });
  const [diff, untracked] = await Promise.all([
    git('git', ['diff', 'HEAD']),
    git('git', ['ls-files', '--others', '--exclude-standard']),
  ]);
  const text = diff.failed ? '' : diff.stdout + untracked.stdout;
  return text === '' ? '' : `-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`;
}
