import { execa } from 'execa';

/**
 * What can change the result of a part: all code; all but the API and what is about it; of that what the programs of tests load; or
 * what tests of drivers and targets load.
 */
export type Scope = 'code' | 'storage' | 'programs' | 'drivers';

const neverCode = /^(?:docs\/|bench\/|[^/]*\.md$|test\/all-results\.json$)/;
const aboutTheApi =
  /^(?:services\/(?:api|monitoring)\/|test\/(?:services\/(?:api|monitoring)|fuzz-api|docs|tools|etc)\/|test\/support\/(?:api|python-clients|browser|web-page|answer-check|document-check|promql)|etc\/(?:grafana|prometheus))/;

/** What no test of drivers and targets loads: test/tools/part-inputs.test.ts reads their imports. */
const aboveDrivers =
  /^(?:services\/|bin\/|cli\/(?!doctor\/lvm)|lib\/(?:client|redis|audit|migration|backups|identity|images)\/|lib\/models\/(?!limits|hash|id\.ts|chap|node-name)|test\/(?:bin|cli|crash|damage|faults|model|redis|services|simulation)\/)/;

/** What no such program loads; the same test reads their imports. */
const besidePrograms =
  /\.test\.ts$|^(?:cli\/|tools\/(?!setup|bundle|program-options)|test\/(?:bin|cli|redis|services)\/|[^/]*\.config\.js$)/;

/** Whether the result of a part of this scope can change with this file, by its path from the root. */
export function isInput(file: string, scope: Scope): boolean {
  if (neverCode.test(file)) return false;
  if (scope === 'code') return true;
  if (aboutTheApi.test(file)) return false;
  if (scope === 'programs') return !besidePrograms.test(file);
  return !(scope === 'drivers' && aboveDrivers.test(file));
}

/** Returns the files that differ from a commit, new ones included; undefined where the repository has no such commit. */
export async function changedSince(root: string, commit: string): Promise<readonly string[] | undefined> {
  const diff = await git(root, 'diff', '--name-only', '--no-renames', '-z', commit);
  const others = await git(root, 'ls-files', '--others', '--exclude-standard', '-z');
  return diff && others && [...diff, ...others];
}

/** Returns the commit that is checked out. */
export async function presentCommit(root: string): Promise<string> {
  const { stdout } = await execa('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root });
  return stdout;
}

/** Returns what it prints, separated by NUL; undefined where it fails. */
async function git(root: string, ...args: string[]): Promise<string[] | undefined> {
  const { stdout, failed } = await execa('git', args, { cwd: root, reject: false });
  return failed ? undefined : stdout.split('\0').filter((one) => one !== '');
}
