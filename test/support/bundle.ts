import { existsSync } from 'node:fs';
import { glob, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fingerprint } from './fingerprint.ts';

const root = path.resolve(import.meta.dirname, '../..');
const cache = path.join(root, 'node_modules/.cache/bundle');
const maxAgeMs = 24 * 3600 * 1000;

const made = new Map<string, Promise<string>>();

/**
 * Returns the directory of both programs as they are shipped, made from the present sources: bin/blockstore and bin/blockstored
 * in it are what tests run. `before` are modules that the programs load first, by paths within the checkout.
 */
export function bundled(...before: string[]): Promise<string> {
  const key = before.join(' ');
  const known = made.get(key) ?? make(before);
  made.set(key, known);
  return known;
}

/** Test files run side by side: who is first puts the bundle in its place, and nobody sees half of one. */
async function make(before: readonly string[]): Promise<string> {
  const own = before.map((file) => `${path.dirname(file)}/*.ts`);
  const directory = path.join(
    cache,
    [await fingerprint(own), ...before.map((file) => path.basename(file, '.ts'))].join('-'),
  );
  if (existsSync(directory)) return directory;
  const { bundle } = await import('../../tools/bundle.ts'); // takes longer to load than all else here
  await removeOld();
  const stage = `${directory}.${process.pid}`;
  await bundle(stage, { before: before.map((file) => path.join(root, file)) });
  await rename(stage, directory).catch(async (error: unknown) => {
    await rm(stage, { recursive: true });
    if (!existsSync(directory)) throw error;
  });
  return directory;
}

async function removeOld(): Promise<void> {
  for await (const directory of glob(`${cache}/*`)) {
    const age = Date.now() - (await stat(directory)).mtimeMs;
    if (age > maxAgeMs) await rm(directory, { recursive: true, force: true });
  }
}
