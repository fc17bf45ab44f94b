import { open, readFile, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { FoundVolume, VolumeSpec } from '../driver.ts';

/** What is kept of a volume beside its data, in `<id>.json`. */
const labels = z.object({
  size: z.number().int(),
  userId: z.string(),
  projectId: z.string(),
  shelfId: z.number().int().optional(),
  bladeId: z.number().int().optional(),
});

type Labels = Omit<FoundVolume, 'id' | 'sizeBytes'>;

export function labelFile(directory: string, id: string): string {
  return path.join(directory, `${id}.json`);
}

/** Either the old labels or the new ones are there after a crash, never a part. */
export async function writeLabels(directory: string, volume: VolumeSpec): Promise<void> {
  const { size, userId, projectId, shelfId, bladeId } = volume;
  const file = labelFile(directory, volume.id);
  const handle = await open(`${file}.new`, 'w');
  try {
    await handle.writeFile(`${JSON.stringify({ size, userId, projectId, shelfId, bladeId })}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

/** Nothing for a volume without labels. */
export async function readLabels(directory: string, id: string): Promise<Labels> {
  const text = await absentAs('{}', readFile(labelFile(directory, id), 'utf8'));
  const { data } = labels.partial().safeParse(JSON.parse(text));
  return Object.fromEntries(Object.entries(data ?? {}).filter(([, value]) => value !== undefined));
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
