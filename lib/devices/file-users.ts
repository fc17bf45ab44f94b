import { readFile, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, readAttribute } from '../files.ts';
import { unescaped } from './escapes.ts';
import { openersOf } from './openers.ts';

/**
 * Returns the users of a regular file: processes that have it open, loop devices on it, swap, each with what releases it. Those
 * that this process may not see are not among them, and with `writersOnly` those that only read. A file that does not exist has none.
 */
export async function fileUsers(file: string, options: { writersOnly?: boolean } = {}): Promise<string[]> {
  const path = await absentAs(undefined, realpath(file));
  if (path === undefined) return [];
  const [loops, swaps, { openers }] = await Promise.all([
    loopsOn(path),
    swapsOn(path),
    openersOf(new Set([path]), new Set(), options),
  ]);
  return [...loops, ...swaps, ...openers];
}

async function loopsOn(path: string): Promise<string[]> {
  const names = (await absentAs([], readdir('/sys/block'))).filter((name) => name.startsWith('loop'));
  const found = await Promise.all(
    names.map(async (name) => ((await readAttribute(join('/sys/block', name, 'loop/backing_file'))) ?? '').trimEnd()),
  );
  const on = names.filter((_, index) => found[index] === path);
  return on.map((name) => `loop device /dev/${name} (to release it: losetup -d /dev/${name})`);
}

async function swapsOn(path: string): Promise<string[]> {
  const isOn = hasSwap(await absentAs('', readFile('/proc/swaps', 'utf8')), path);
  return isOn ? [`swap (to release it: swapoff '${path}')`] : [];
}

/** Whether a file is among the rows of /proc/swaps. */
export function hasSwap(swaps: string, path: string): boolean {
  return swaps.split('\n').some((row) => unescaped(row.split(/\s/)[0] ?? '') === path);
}
