import { readFileSync } from 'node:fs';
import { mkdir, open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a stream of a large file reads or writes at once. */
export const chunkBytes = 2 ** 20;

/** Returns the code of a system error, such as ENOENT; undefined for any other value. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the error says that a file, or the process that a file of /proc describes, does not exist. */
export function isAbsent(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ESRCH';
}

/**
 * Whether a read of an attribute in /proc or /sys failed because its process or device does not exist, is just being removed, or is no
 * device: among the interfaces in /sys/class/net is the file bonding_masters.
 */
function isAttributeGone(error: unknown): boolean {
  return isAbsent(error) || ['EINVAL', 'ENODEV', 'ENOTDIR'].includes(errorCode(error) ?? '');
}

/** Returns what the work returns, or `absent` when its file, or the process that the file describes, does not exist. */
export async function absentAs<T, A>(absent: A, work: Promise<T>): Promise<T | A> {
  try {
    return await work;
  } catch (error) {
    if (isAbsent(error)) return absent;
    throw error;
  }
}

/** Returns the file's text; undefined when it does not exist. */
export function readIfExists(file: string): Promise<string | undefined> {
  return absentAs(undefined, readFile(file, 'utf8'));
}

/** Returns the text of a file in /proc or /sys; undefined when its process or device does not exist, or is being removed. */
export async function readAttribute(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isAttributeGone(error)) return undefined;
    throw error;
  }
}

/**
 * The synchronous form of readAttribute(): the kernel has such files in memory, and the thread pool costs several
 * times the read.
 */
export function readIfExistsSync(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isAttributeGone(error)) return undefined;
    throw error;
  }
}

/** Returns the file's status; undefined when it does not exist. */
export function statIfExists(file: string) {
  return absentAs(undefined, stat(file));
}

/** With its parents. Not by mkdir's `recursive`, which never returns where a parent takes no directories, such as /proc. */
export async function makeDirectory(directory: string, mode = 0o777): Promise<void> {
  try {
    await mkdir(directory, { mode });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(directory) === directory) throw error;
    await makeDirectory(dirname(directory), mode);
    await mkdir(directory, { mode });
  }
}

/** Removes the file; absent is success. */
export async function removeFile(file: string): Promise<void> {
  await absentAs(undefined, unlink(file));
}

/**
 * Writes a file so that its readers, and a start after a crash, see the old text or the new one, never a part. With `flush`
 * that holds for a power loss as well; syncDirectory() makes the new text outlast it.
 */
export async function replaceFile(
  file: string,
  text: string,
  { flush = false, mode = 0o666 }: { flush?: boolean; mode?: number } = {},
): Promise<void> {
  await naming(file, writeFile(`${file}.new`, text, { flush, mode }));
  await rename(`${file}.new`, file);
}

/** System errors of an open file do not say which one it is. */
async function naming<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'syscall' in error && !('path' in error)) {
      error.message += ` '${path}'`;
      Object.assign(error, { path });
    }
    throw error;
  }
}

/** Makes created, renamed and removed entries of a directory survive a power loss. */
export function syncDirectory(directory: string): Promise<void> {
  return syncFile(directory);
}

/** Makes the data of a file survive a power loss. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await naming(file, handle.sync());
  } finally {
    await handle.close();
  }
}
