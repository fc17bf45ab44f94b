import { createHash } from 'node:crypto';
import { errors } from '../errors.ts';
import { readStorage } from '../devices/storage-streams.ts';
import type { Processes } from '../process.ts';
import { sizeInBytes } from '../volume-size.ts';
import { type Piece, pieceBytes } from './backup.ts';
import type { BackupStore } from './store.ts';
import { piecesOf } from '../devices/pieces.ts';

export interface BackupOptions {
  signal: AbortSignal;
  /** Called with 0 to 100. */
  progress: (percent: number) => void;
  /** Before the copy counts: throws where what was read is not what was asked for. */
  check?: () => Promise<void>;
}

/**
 * Gives a backup the data of a volume, which nothing writes to meanwhile: what its parent has is not stored again, and neither are zeros.
 * One that has its data stays as it is. Throws BackupNotFound, BackupDamaged, CommandError.
 */
export async function storeVolume(
  processes: Processes,
  store: BackupStore,
  id: string,
  { path, sizeBytes }: { path: string; sizeBytes: number },
  { signal, progress, check }: BackupOptions,
): Promise<void> {
  const backup = await store.show(id);
  if (backup.status === 'available') return;
  if (sizeInBytes(backup.size) !== sizeBytes)
    throw errors.backupDamaged(id, `it is for a volume of ${backup.size} GiB, and ${sizeBytes} bytes are to be stored`);
  const before = backup.parent === null ? undefined : store.pieces(backup.parent);
  await using writer = await store.write(id, signal);
  const reader = await readStorage(processes, { path, sizeBytes }, signal);
  const whole = createHash('sha256');
  let [read, storedBytes] = [0, 0];
  let written = Promise.resolve();
  try {
    for await (const piece of piecesOf(reader.stdout, pieceBytes)) {
      signal.throwIfAborted();
      whole.update(piece);
      read += piece.length;
      const known = (await before?.next())?.value;
      const one = pieceOf(piece, known ?? undefined, { backup: id, offset: storedBytes });
      await written; // while the next piece was read
      const isOwn = one.place?.backup === id;
      if (isOwn) storedBytes += piece.length;
      written = (isOwn ? writer.append(piece) : Promise.resolve()).then(() => writer.note(one));
      written.catch(() => undefined);
      progress(Math.floor((100 * read) / sizeBytes));
    }
    await written;
    await reader.ended;
    if (read !== sizeBytes) throw errors.backupDamaged(id, `the volume gave ${read} of ${sizeBytes} bytes`);
    await check?.();
    await writer.finish();
  } finally {
    await before?.return(undefined);
    reader.stdout.destroy();
  }
  // Somebody may have removed it meanwhile: its data would come back in part.
  const now = await store.show(id).catch(async (error: unknown) => {
    await store.remove(id);
    throw error;
  });
  await store.describe({ ...now, status: 'available', checksum: whole.digest('hex'), storedBytes });
}

const zeros = Buffer.alloc(pieceBytes);
const checksumOfZeros = digestOf(zeros);

function pieceOf(data: Buffer, known: Piece | undefined, here: { backup: string; offset: number }): Piece {
  if (data.equals(zeros)) return { checksum: checksumOfZeros, place: undefined };
  const checksum = digestOf(data);
  if (data.equals(zeros.subarray(0, data.length))) return { checksum, place: undefined };
  return known?.checksum === checksum ? known : { checksum, place: here };
}

function digestOf(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
