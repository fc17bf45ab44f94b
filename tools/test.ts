/**
 * What `npm test` runs: the checks that need no running code (each counts as one test), then the tests of one machine,
 * then those of the lab. Every stage runs, whatever became of the one before; what failed is told once more at the end,
 * and the last line has the counts.
 */
import path from 'node:path';
import { execa } from 'execa';
import { missingForLab } from '../test/lab/requirements.ts';
import { type Counts, countTests, withoutPassed } from './ava-report.ts';

const root = path.resolve(import.meta.dirname, '..');
const bin = path.join(root, 'node_modules', '.bin');
// Without colours, and with the marks that countTests knows.
const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1', FORCE_COLOR: '0', TERM: 'dumb' };

/** What a stage came to, and what it told of what failed. */
interface Outcome extends Counts {
  failures: string;
}

/** A command that finds fault or does not. */
const check =
  (command: string, ...args: string[]) =>
  async (): Promise<Outcome> => {
    const { failed, all } = await execa(command, args, {
      cwd: root,
      env,
      stdin: 'ignore',
      stdout: ['inherit', 'pipe'],
      stderr: ['inherit', 'pipe'],
      all: true,
      reject: false,
    });
    return { passed: failed ? 0 : 1, failed: failed ? 1 : 0, skipped: 0, failures: failed ? all : '' };
  };

const ava =
  (...args: string[]) =>
  async (): Promise<Outcome> => {
    const run = await execa('ava', args, {
      cwd: root,
      env,
      stdin: 'ignore',
      stdout: ['inherit', 'pipe'],
      stderr: 'inherit',
      reject: false,
      maxBuffer: 2 ** 28,
    });
    return { ...countTests(run.stdout, !run.failed), failures: run.failed ? withoutPassed(run.stdout) : '' };
  };

const lab = async (): Promise<Outcome> => {
  const reason = await missingForLab();
  if (reason === undefined) return ava('--config', 'test/lab/ava.config.js')();
  console.log(`skipped: ${reason}`);
  return { passed: 0, failed: 0, skipped: 1, failures: '' };
};

const stages: [string, () => Promise<Outcome>][] = [
  ['lint', check('oxlint', '--type-aware', '--deny-warnings')],
  ['format', check('biome', 'format')],
  ['dead code', check('knip')],
  ['types', check('tsc')],
  ['tests', ava()],
  ['lab', lab],
];

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const times: string[] = [];
const failures: string[] = [];
let ran = 0;
for (const [name, run] of stages) {
  console.log(`\n== ${name}`);
  const begin = performance.now();
  const counts = await run();
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  times.push(`${name} ${seconds} s`);
  console.log(`== ${name}: ${inWords(counts)}, ${seconds} s`);
  if (counts.failures !== '') failures.push(`\n== failed in ${name}\n${counts.failures}`);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  if (name === 'tests' || name === 'lab') ran += counts.passed + counts.failed;
}
if (ran === 0) console.log('no test ran');
for (const text of failures) console.log(text);
if (total.failed > 0 || ran === 0) process.exitCode = 1;
console.log(`\n${times.join(', ')}\n${inWords(total)}`);

function inWords({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
