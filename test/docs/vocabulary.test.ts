import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { z } from 'zod';

const root = path.resolve(import.meta.dirname, '../..');
/** Retired words and names as regular expressions, with the term to use instead. */
const vocabulary = z
  .array(z.object({ retired: z.string(), use: z.string() }))
  .parse(JSON.parse(await readFile(path.join(import.meta.dirname, 'vocabulary.json'), 'utf8')))
  .map(({ retired, use }) => ({ pattern: new RegExp(retired, 'i'), use }));

const checked = [
  '*.md',
  'docs/*.{md,svg}',
  'bin/*',
  'cli/**/*.ts',
  'etc/**/*',
  'lib/**/*.{ts,lua,pl}',
  'services/**/*.ts',
  '{bench,test}/**/*.{ts,js,lua,pl,sh}',
  'tools/**/*',
];

test('documents, code and tests use no retired word', async (t) => {
  const entries = await Array.fromAsync(glob(checked, { cwd: root, withFileTypes: true }));
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
  t.true(files.length > 50, 'files were found');
  const uses = await Promise.all(files.map(retiredWords));
  t.deepEqual(uses.flat(), []);
});

/** Returns a line for each retired word: its place, and the term to use instead. */
async function retiredWords(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.flatMap((line, index) =>
    vocabulary.flatMap(({ pattern, use }) => {
      const [word] = pattern.exec(line) ?? [];
      return word === undefined ? [] : [`${path.relative(root, file)}:${index + 1}: "${word}": use ${use}`];
    }),
  );
}
