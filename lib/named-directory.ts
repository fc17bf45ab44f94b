import { CommandError } from './command-error.ts';
import { errors } from './errors.ts';
import { errorCode } from './files.ts';

/** A directory that a flag names. */
export interface NamedDirectory {
  flag: 'backup_directory' | 'image_directory' | 'state_dir';
  directory: string;
}

const unusable = new Set(['EROFS', 'EIO', 'EACCES', 'EPERM', 'ENOTDIR', 'ELOOP', 'ESTALE']);

/**
 * Does work with files there. System errors name no flag, and those of writes no file either: throws DirectoryFull and DirectoryUnusable
 * in their place, and all else as it is. Data are read from elsewhere: so are failed reads.
 */
export async function inDirectory<T>({ flag, directory }: NamedDirectory, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (isFull(error)) throw errors.directoryFull(flag, directory, error.message, error);
    const isOfSource = 'syscall' in error && error.syscall === 'read';
    if (isOfSource || !unusable.has(errorCode(error) ?? '')) throw error;
    throw errors.directoryUnusable(flag, directory, error.message, error);
  }
}

/** Whether the failure says that the file system has no space, no inodes or a quota for a file, or none of its size. */
export function isFull(error: unknown): boolean {
  if (error instanceof CommandError) {
    return /No space left on device|Disk quota exceeded|File too large/.test(error.failure.stderr);
  }
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errorCode(error) ?? '');
}
