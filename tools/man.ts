/** `npm run man [-- <directory>]`: writes the manual pages to dist/man, or to that directory. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { manPages } from './man/pages.ts';

/** Writes blockstore.1, blockstored.8 and blockstore.conf.5; returns their paths. */
export async function writeManPages(directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const files = [...manPages()].map(([name, text]) => ({ file: path.join(directory, name), text }));
  await Promise.all(files.map(({ file, text }) => writeFile(file, text)));
  return files.map(({ file }) => file);
}

if (import.meta.main) {
  const directory = path.resolve(import.meta.dirname, '..', process.argv[2] ?? 'dist/man');
  for (const file of await writeManPages(directory)) console.log(file);
}
