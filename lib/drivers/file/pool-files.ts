import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { statIfExists, syncDirectory } from '../../files.ts';

/** A file of the pool that holds data. */
export interface PoolFile {
  kind: 'volume' | 'snapshot';
  id: string;
  name: string;
  sizeBytes: number;
  /** What its blocks take on the file system; less than its size where it has holes. */
  filledBytes: number;
  /** A copy that is not whole yet, or never became so. */
  isPart: boolean;
}

const part = '.blockstore-copy-';

/** Where a copy is made before it gets the name of `file`: nobody else gives a file a name of this form. */
export function partOf(file: string): string {
  return path.join(path.dirname(file), `${part}${path.basename(file)}`);
}

export function volumeFile(directory: string, id: string): string {
  return path.join(directory, `volume-${id}`);
}

export function snapshotFile(directory: string, id: string): string {
  return path.join(directory, `snapshot-${id}`);
}

/** Returns the files of the pool with data. */
export async function poolFiles(directory: string): Promise<PoolFile[]> {
  const found = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const [, begin, kind = '', id = ''] = /^(\.blockstore-copy-)?(volume|snapshot)-([0-9a-f-]{36})$/.exec(name) ?? [];
      if (kind !== 'volume' && kind !== 'snapshot') return undefined;
      const file = await statIfExists(path.join(directory, name));
      if (!file) return undefined;
      return { kind, id, name, sizeBytes: file.size, filledBytes: file.blocks * 512, isPart: begin === part } as const;
    }),
  );
  return found.filter((file) => file !== undefined);
}

/** The file exists and has at least this size, durably. What it had is kept, and what it gets are zeros. */
export async function ensureFile(name: string, sizeBytes: number): Promise<void> {
  const file = await open(name, 'a', 0o600);
  try {
    const { size } = await file.stat();
    if (size < sizeBytes) await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncDirectory(path.dirname(name));
}
