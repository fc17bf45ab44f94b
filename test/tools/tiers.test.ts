import { glob } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { z } from 'zod';

const root = path.resolve(import.meta.dirname, '../..');
const tiers = [
  'test/unit.config.js',
  'test/nodes.config.js',
  'test/api.config.js',
  'test/daemons.config.js',
  'test/sample.config.js',
  'test/lab/ava.config.js',
];
const configSchema = z.object({ default: z.object({ files: z.array(z.string()) }) });

async function patternsOf(tier: string): Promise<string[]> {
  return configSchema.parse(await import(path.join(root, tier))).default.files;
}

/** Whether ava takes the file: by the last pattern that is about it. */
function takes(patterns: readonly string[], file: string): boolean {
  return patterns.reduce((taken, pattern) => {
    const isNot = pattern.startsWith('!');
    return path.matchesGlob(file, isNot ? pattern.slice(1) : pattern) ? !isNot : taken;
  }, false);
}

test('every test file is in one tier', async (t) => {
  const patterns = await Promise.all(tiers.map(patternsOf));
  const files = await Array.fromAsync(glob('test/**/*.test.ts', { cwd: root }));
  t.true(files.length > 50);
  for (const file of files) {
    const of = tiers.filter((_, index) => takes(patterns[index] ?? [], file));
    t.is(of.length, 1, `${file} is in: ${of.join(', ')}`);
  }
});
