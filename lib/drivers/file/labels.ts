import { open, readFile, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type Labels, type VolumeSpec, checkLabels } from '../driver.ts';

const shape = z.record(z.string(), z.string());

export function labelFile(directory: string, id: string): string {
  return path.join(directory, `${id}.json`);
}

/** Either the old labels or the new ones are there after a crash, never a part. */
export async function writeLabels(directory: string, { id, labels }: VolumeSpec): Promise<void> {
  checkLabels(labels);
  const file = labelFile(directory, id);
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(labels)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

/** Returns none for a volume without labels, and for a file that nothing of ours wrote. */
export async function readLabels(directory: string, id: string): Promise<Labels> {
  const text = await absentAs('{}', readFile(labelFile(directory, id), 'utf8'));
  return shape.safeParse(parseJson(text)).data ?? {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export async function removeFile(file: string): Promise<void> {
  await absentAs(undefined, unlink(file));
}

/** What `work` gives, or `absent` when the file that it is about is not there. */
export async function absentAs<T, A>(absent: A, work: Promise<T>): Promise<T | A> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return absent;
    throw error;
  }
}

/** Makes what was created in, renamed in or removed from a directory outlast a power loss. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
