import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';

const root = path.resolve(import.meta.dirname, '..');

/**
 * What can change the result of a part: all code; all but the API and what is about it; of that no test file, where a program runs; or what
 * tests of drivers and targets load.
 */
export type Scope = 'code' | 'storage' | 'programs' | 'drivers';

const neverCode = /^(?:docs\/|bench\/|[^/]*\.md$|test\/all-results\.json$)/;
const aboutTheApi =
  /^(?:services\/(?:api|monitoring)\/|test\/(?:services\/(?:api|monitoring)|fuzz-api|docs|tools|etc)\/|test\/support\/(?:api|python-clients|browser|web-page|answer-check|document-check|promql)|etc\/(?:grafana|prometheus))/;

/** What no test of drivers and targets loads: test/tools/part-inputs.test.ts reads their imports. */
const aboveDrivers =
  /^(?:services\/|bin\/|cli\/(?!doctor\/lvm)|lib\/(?:client|redis|audit|migration|backups|identity|images)\/|lib\/models\/(?!limits|hash|id\.ts|chap|node-name)|test\/(?:bin|cli|crash|damage|faults|model|redis|services|simulation)\/)/;

/** Whether the result of a part of this scope can change with this file, by its path from the root. */
export function isInput(file: string, scope: Scope): boolean {
  if (neverCode.test(file)) return false;
  if (scope === 'code') return true;
  if (aboutTheApi.test(file)) return false;
  if (scope === 'programs') return !file.endsWith('.test.ts');
  return !(scope === 'drivers' && aboveDrivers.test(file));
}

/** Returns a name for the present content of the inputs of each scope, those outside git included. */
export async function inputsOfScopes(): Promise<Record<Scope, string>> {
  const [code, storage, programs, drivers] = await Promise.all([
    inputsOf('code'),
    inputsOf('storage'),
    inputsOf('programs'),
    inputsOf('drivers'),
  ]);
  return { code, storage, programs, drivers };
}

/** The same of one scope. */
export async function inputsOf(scope: Scope): Promise<string> {
  const git = await execa('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  const files = new Set(git.stdout.split('\0').filter((file) => file !== '' && isInput(file, scope)));
  const hash = createHash('sha256');
  for (const file of [...files].toSorted()) {
    const content = await readFile(path.join(root, file)).catch(() => ''); // deleted, and not committed
    hash.update(`${file}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}
