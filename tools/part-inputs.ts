import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';

const root = path.resolve(import.meta.dirname, '..');

/** What can change the result of a part: all code, or all but the API and what is about it. */
export type Scope = 'code' | 'storage';

const neverCode = /^(?:docs\/|bench\/|[^/]*\.md$|test\/all-results\.json$)/;
const aboutTheApi =
  /^(?:services\/(?:api|monitoring)\/|test\/(?:services\/(?:api|monitoring)|fuzz-api|docs|tools|etc)\/|test\/support\/(?:api|python-clients|browser|web-page|answer-check|document-check|promql)|etc\/(?:grafana|prometheus))/;

/** Whether the result of a part of this scope can change with this file, by its path from the root. */
export function isInput(file: string, scope: Scope): boolean {
  return !neverCode.test(file) && !(scope === 'storage' && aboutTheApi.test(file));
}

/** Returns a name for the present content of all inputs, those outside git included. */
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
