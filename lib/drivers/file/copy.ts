import { constants, copyFile, open, stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileUsers } from '../../devices/file-users.ts';
import { errorCode, removeFile, statIfExists } from '../../files.ts';
import type { Processes } from '../../process.ts';
import type { CopyOptions } from '../snapshots.ts';

/** What is copied. */
export interface CopySource {
  file: string;
  /** What is behind that is not copied. */
  sizeBytes: number;
  /** Throws where it cannot be copied. */
  check: () => Promise<void>;
  /** Returns the error where the file is written to and the file system has no reflinks. Undefined: nothing writes to it. */
  writtenTo?: (by: string) => Error;
}

const progressEveryMs = 500;
/** A slower copy is taken for one that hangs. */
const slowestBytesPerMs = 2 ** 20 / 1000;
const shortestLimitMs = 600_000;
/** The kernel's clock of file times advances in steps: two writes within one have the same time. */
const clockStepMs = 20;

/** What FICLONE reports where the file system, or these two files, cannot share blocks. */
const cannotShare = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EINVAL', 'EXDEV', 'ETXTBSY']);

/**
 * Copies a file to `part`, which then is whole, durable and has `sizeBytes`: blocks are shared where the file system can do that (XFS,
 * btrfs), otherwise holes stay holes. Throws what the source says.
 */
export async function copy(
  processes: Processes,
  source: CopySource,
  part: string,
  sizeBytes: number,
  options: CopyOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  await removeFile(part);
  if (!(await shareBlocks(source.file, part))) await copyBlocks(processes, source, part, options);
  await complete(part, source.sizeBytes, sizeBytes);
}

/** Throws what the source says where something writes to it before or during the copy, which is not of one moment then. */
async function copyBlocks(
  processes: Processes,
  { file, writtenTo }: CopySource,
  part: string,
  options: CopyOptions,
): Promise<void> {
  const run = () => runCopy(processes, file, part, options);
  await (writtenTo ? whileUnwritten([{ file, writtenTo }], run) : run());
}

/** Throws what the source says where something writes to one of them before or during the work. */
export async function whileUnwritten(
  sources: readonly Pick<CopySource, 'file' | 'writtenTo'>[],
  work: () => Promise<void>,
): Promise<void> {
  const before: bigint[] = [];
  for (const { file, writtenTo } of sources) {
    const writers = await fileUsers(file, { writersOnly: true });
    if (writers.length > 0 && writtenTo) throw writtenTo(writers.join(', '));
    before.push(await timeOf(file));
  }
  await work();
  for (const [index, { file, writtenTo }] of sources.entries()) {
    // Not every process can be seen.
    const isWritten = (await timeOf(file)) !== before[index];
    if (isWritten && writtenTo) throw writtenTo(`${file} was written to during the copy`);
  }
}

/** The child ends with this daemon: a next daemon finds no copy that goes on. */
async function runCopy(
  processes: Processes,
  file: string,
  part: string,
  { signal, progress }: CopyOptions,
): Promise<void> {
  const { blocks } = await stat(file);
  const args = ['--pdeathsig', 'SIGKILL', 'cp', '--sparse=always', '--reflink=auto', '--', file, part];
  const timeoutMs = shortestLimitMs + Math.ceil((blocks * 512) / slowestBytesPerMs);
  const running = processes.run('setpriv', args, { timeoutMs, ...(signal ? { signal } : {}) });
  await Promise.all([running, progress && report(running, part, blocks, progress)]);
}

async function report(
  running: Promise<unknown>,
  part: string,
  blocks: number,
  progress: (percent: number) => void,
): Promise<void> {
  const ended = running.then(() => true);
  while (!(await Promise.race([ended, pause(progressEveryMs, false)]))) {
    const copied = (await statIfExists(part))?.blocks ?? 0;
    progress(Math.min(99, Math.floor((100 * copied) / Math.max(1, blocks))));
  }
  progress(100);
}

/** Returns whether the file system could do it. The kernel writes out what is not on disk yet and lets nobody write meanwhile. */
async function shareBlocks(file: string, part: string): Promise<boolean> {
  try {
    await copyFile(file, part, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (!cannotShare.has(errorCode(error) ?? '')) throw error;
    await removeFile(part);
    return false;
  }
}

/** Zeros are behind what is copied, whatever the source has there. */
async function complete(part: string, copiedBytes: number, sizeBytes: number): Promise<void> {
  const file = await open(part, 'r+');
  try {
    await file.chmod(0o600);
    await file.truncate(copiedBytes);
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Returns the time of the last write, once a later write would have another. */
async function timeOf(file: string): Promise<bigint> {
  const { mtimeNs, mtimeMs } = await stat(file, { bigint: true });
  const age = Date.now() - Number(mtimeMs);
  if (age >= 0 && age < clockStepMs) await pause(clockStepMs);
  return mtimeNs;
}
