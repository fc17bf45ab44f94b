import { createHash } from 'node:crypto';
import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const sources = ['bin/*', 'cli/**', 'lib/**', 'services/**', 'package.json', 'package-lock.json', 'tools/bundle.ts'];

/** Returns a name for the present content of the programs' sources, and of files that match `more` patterns. */
export async function fingerprint(more: readonly string[] = []): Promise<string> {
  const files: string[] = [];
  for await (const entry of glob([...sources, ...more], { cwd: root, withFileTypes: true })) {
    if (entry.isFile()) files.push(path.join(entry.parentPath, entry.name));
  }
  const hash = createHash('sha256');
  for (const file of files.toSorted()) hash.update(`${path.relative(root, file)}\0`).update(await readFile(file));
  return hash.digest('hex').slice(0, 16);
}
