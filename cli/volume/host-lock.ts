import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pollUntil } from '../../lib/concurrency.ts';
import { errors } from '../../lib/errors.ts';
import { FileLock } from '../../lib/file-lock.ts';
import { absentAs } from '../../lib/files.ts';
import { ChildProcesses } from '../../lib/process.ts';

export interface HostLockOptions {
  timeoutMs: number;
  signal?: AbortSignal;
  /** Where the locks are. Default: below /run; a killed command leaves an empty file, until the next one or a reboot. */
  directory?: string;
}

/**
 * Runs work that connects or disconnects a volume while no other command of this host does: of two, one would remove what the other has
 * just connected. Only root connects devices: other users wait for nobody. Throws NotFinished where the other one takes too long.
 */
export async function withHostLock<T>(
  volume: string,
  { timeoutMs, signal, directory = '/run/blockstore-attach' }: HostLockOptions,
  work: () => Promise<T>,
): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch {
    return work(); // in a container that cannot write to /run: no other command has a lock there either
  }
  const file = join(directory, volume);
  const lock = await pollUntil(() => takeAt(file), { deadlineMs: timeoutMs, signal });
  if (lock === undefined) throw errors.hostBusy(volume, timeoutMs);
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
    await lock.release();
  }
}

/** Undefined while another process has the lock, and where that one has removed the file meanwhile. */
async function takeAt(file: string): Promise<FileLock | undefined> {
  const lock = await FileLock.take(file, new ChildProcesses());
  if (lock === undefined) return undefined;
  const there = await absentAs(undefined, stat(file, { bigint: true }));
  if (there && (await lock.fileId()) === `${there.dev.toString(16)}.${there.ino.toString(16)}`) return lock;
  await lock.release();
  return undefined;
}
