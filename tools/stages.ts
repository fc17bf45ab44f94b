/** Runs stages of tests one after the other, also after failures, and prints a summary. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type Counts, countTests, withoutPassed } from './ava-report.ts';

const root = path.resolve(import.meta.dirname, '..');
const bin = path.join(root, 'node_modules', '.bin');
// Without colours, and with the marks that countTests expects.
const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1', FORCE_COLOR: '0', TERM: 'dumb' };
const slowestFiles = 10;
/** Number of characters of a command's output that are repeated at the end. */
const maxFailureLines = 300;

export interface FileTime {
  file: string;
  seconds: number;
}

export interface Outcome extends Counts {
  /** Failures to repeat at the end; '' if there are none. */
  failures: string;
  /** Time of each test file; empty for checks. */
  files: readonly FileTime[];
}

export interface Stage {
  name: string;
  run: () => Promise<Outcome>;
  /** A check does not count as a test run. */
  isCheck?: boolean;
}

export interface Ended extends Outcome {
  name: string;
  seconds: number;
}

/** Returns why a stage cannot run on this host; undefined if it can. */
type Missing = () => Promise<string | undefined>;

const nothingMissing: Missing = async () => undefined;

/** A stage of one command, which counts as one test. */
export function command(name: string, file: string, args: readonly string[], missing = nothingMissing): Stage {
  return {
    name,
    run: unlessMissing(missing, async () => {
      const { failed, all } = await execa(file, args, {
        cwd: root,
        env,
        stdin: 'ignore',
        stdout: ['inherit', 'pipe'],
        stderr: ['inherit', 'pipe'],
        all: true,
        reject: false,
        maxBuffer: 2 ** 28,
      });
      const failures = failed ? all.split('\n').slice(-maxFailureLines).join('\n') : '';
      return { passed: failed ? 0 : 1, failed: failed ? 1 : 0, skipped: 0, failures, files: [] };
    }),
  };
}

/** A check of the code. */
export function check(name: string, file: string, ...args: string[]): Stage {
  return { ...command(name, file, args), isCheck: true };
}

/** A stage of test files. */
export function ava(name: string, config: string, missing = nothingMissing): Stage {
  return {
    name,
    run: unlessMissing(missing, async () => {
      const directory = await mkdtemp(path.join(tmpdir(), 'blockstore-times-'));
      const times = path.join(directory, 'times');
      try {
        const run = await execa('ava', ['--config', config], {
          cwd: root,
          env: { ...env, TEST_FILE_TIMES: times },
          stdin: 'ignore',
          stdout: ['inherit', 'pipe'],
          stderr: 'inherit',
          reject: false,
          maxBuffer: 2 ** 28,
        });
        const failures = run.failed ? withoutPassed(run.stdout) : '';
        return { ...countTests(run.stdout, !run.failed), failures, files: await fileTimes(times) };
      } finally {
        await rm(directory, { recursive: true });
      }
    }),
  };
}

function unlessMissing(missing: Missing, run: Stage['run']): Stage['run'] {
  return async () => {
    const reason = await missing();
    if (reason === undefined) return run();
    console.log(`skipped: ${reason}`);
    return { passed: 0, failed: 0, skipped: 1, failures: '', files: [] };
  };
}

/** Reads the times that test/support/file-time.ts recorded. */
async function fileTimes(times: string): Promise<FileTime[]> {
  const lines = (await readFile(times, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  return lines.map((line) => {
    const [seconds, url = ''] = line.split(' ');
    return { seconds: Number(seconds), file: path.relative(root, fileURLToPath(url)) };
  });
}

export async function runStage(stage: Stage): Promise<Ended> {
  const { name } = stage;
  console.log(`\n== ${name}`);
  const begin = performance.now();
  const outcome = await stage.run();
  const seconds = (performance.now() - begin) / 1000;
  console.log(`== ${name}: ${describeCounts(outcome)}, ${seconds.toFixed(1)} s`);
  return { ...outcome, name, seconds };
}

/** Prints the failures again, the slowest files, the time of each stage and, in the last line, the counts. */
export function report(ended: readonly Ended[]): Counts {
  for (const { name, failures } of ended) if (failures !== '') console.log(`\n== failed in ${name}\n${failures}`);
  const files = ended.flatMap((one) => one.files).toSorted((one, other) => other.seconds - one.seconds);
  if (files.length > 0) {
    const rows = files
      .slice(0, slowestFiles)
      .map(({ seconds, file }) => `${seconds.toFixed(1).padStart(8)} s  ${file}`);
    console.log(`\nslowest files\n${rows.join('\n')}`);
  }
  const whole = sum(ended.map(({ seconds }) => seconds));
  const times = ended.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`);
  const total = {
    passed: sum(ended.map(({ passed }) => passed)),
    failed: sum(ended.map(({ failed }) => failed)),
    skipped: sum(ended.map(({ skipped }) => skipped)),
  };
  console.log(`\n${times.join(', ')}; together ${(whole / 60).toFixed(1)} min\n${describeCounts(total)}`);
  return total;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

function describeCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
