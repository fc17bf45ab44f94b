import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { errors } from '../errors.ts';
import { readStorage, writeStorage } from '../devices/storage-streams.ts';
import type { Processes } from '../process.ts';
import { sizeInBytes } from '../volume-size.ts';
import { type Backup, type Piece, pieceBytes } from './backup.ts';
import type { BackupReader, BackupStore } from './store.ts';
import type { BackupOptions } from './store-volume.ts';

/** How much of the progress is the writing's; the rest is the comparison's. */
const writtenPercent = 60;

export interface RestoreTarget {
  path: string;
  /** At least that of the backup; what is behind its data becomes zeros. */
  sizeBytes: number;
  /** All of it reads as zeros. */
  isBlank: boolean;
}

/**
 * Gives a new volume the data of a backup. Each piece is compared with its checksum before it is written, and the whole afterwards, as the
 * storage has it. Throws BackupNotFound, BackupNotReady, BackupDamaged, CommandError.
 */
export async function restoreVolume(
  processes: Processes,
  store: BackupStore,
  id: string,
  target: RestoreTarget,
  { signal, progress }: BackupOptions,
): Promise<void> {
  const backup = await store.show(id);
  const backupBytes = sizeInBytes(backup.size);
  if (backup.status !== 'available') throw errors.backupNotReady(id);
  if (backupBytes > target.sizeBytes) throw errors.backupDamaged(id, `it has ${backupBytes} bytes, the volume less`);
  const writer = await writeStorage(processes, target, signal);
  const written = (bytes: number) => progress(Math.floor((writtenPercent * bytes) / target.sizeBytes));
  await Promise.all([
    writer.ended,
    pipeline(dataOf(store, backup, { sizeBytes: target.sizeBytes, signal }, written), writer.stdin, { signal }),
  ]);
  const compared = (bytes: number) =>
    progress(writtenPercent + Math.floor(((100 - writtenPercent) * bytes) / backupBytes));
  const storage = { path: target.path, sizeBytes: backupBytes };
  const reader = await readStorage(processes, storage, signal);
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of reader.stdout) {
    hash.update(chunk);
    read += chunk.length;
    compared(read);
  }
  await reader.ended;
  if (hash.digest('hex') !== backup.checksum) {
    throw errors.backupDamaged(id, 'what the new volume has then has another checksum');
  }
}

/** The data of a volume of that size. Throws BackupDamaged. */
async function* dataOf(
  store: BackupStore,
  { id, size }: Backup,
  { sizeBytes, signal }: { sizeBytes: number; signal: AbortSignal },
  onProgress: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const backupBytes = sizeInBytes(size);
  const readers = new Map<string, BackupReader>();
  const readerOf = async (backup: string) => {
    const reader = readers.get(backup) ?? (await store.open(backup, signal));
    readers.set(backup, reader);
    return reader;
  };
  let done = 0;
  try {
    for await (const piece of store.pieces(id)) {
      const length = Math.min(pieceBytes, backupBytes - done);
      if (length <= 0) throw errors.backupDamaged(id, 'it has more pieces than its volume had');
      yield await readPiece(readerOf, id, piece, length);
      done += length;
      onProgress(done);
    }
    if (done !== backupBytes) throw errors.backupDamaged(id, `it has ${done} of ${backupBytes} bytes`);
    while (done < sizeBytes) {
      const length = Math.min(pieceBytes, sizeBytes - done);
      yield Buffer.alloc(length);
      done += length;
      onProgress(done);
    }
  } finally {
    for (const reader of readers.values()) await reader[Symbol.asyncDispose]();
  }
}

async function readPiece(
  readerOf: (backup: string) => Promise<BackupReader>,
  id: string,
  { checksum, place }: Piece,
  length: number,
): Promise<Buffer> {
  const data = place ? await (await readerOf(place.backup)).read(place.offset, length) : Buffer.alloc(length);
  if (createHash('sha256').update(data).digest('hex') !== checksum) {
    const where = place ? `of ${place.backup} at byte ${place.offset}` : 'of zeros';
    throw errors.backupDamaged(id, `the data ${where} have another checksum`);
  }
  return data;
}
