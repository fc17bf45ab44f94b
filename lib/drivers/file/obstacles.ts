import { lstat, open, readlink, realpath } from 'node:fs/promises';
import { absentAs, errorCode, removeFile } from '../../files.ts';

/** Returns what keeps the file of a volume from being removed with its data, and what releases it; undefined when nothing does. */
export async function obstacleTo(file: string): Promise<string | undefined> {
  const found = await absentAs(undefined, lstat(file));
  if (found?.isSymbolicLink()) {
    const data = await absentAs(undefined, realpath(file));
    if (data === undefined) {
      return (
        `${file} is a link to ${await readlink(file)}, which is not there; mount its file system and move the file back, ` +
        `or, if it is gone: rm ${file}`
      );
    }
    return `${file} is a link, and its data would stay; move the file back: mv ${data} ${file}`;
  }
  if (!found?.isFile()) return undefined;
  try {
    // The kernel refuses this for a file that is immutable or only grows, before anything of the volume is removed.
    await (await open(file, 'r+')).close();
    return undefined;
  } catch (error) {
    return errorCode(error) === 'EPERM' ? refused(file, error) : undefined;
  }
}

/** Removes the file; absent is success. Throws `busy` where it can never be removed as it is. */
export async function removing(file: string, busy: (by: string) => Error): Promise<void> {
  try {
    await removeFile(file);
  } catch (error) {
    if (!['EPERM', 'EISDIR'].includes(errorCode(error) ?? '')) throw error;
    throw busy(refused(file, error));
  }
}

function refused(file: string, error: unknown): string {
  return `${file} cannot be removed: ${errorCode(error)}; see lsattr -d ${file}, to release it: chattr -i -a ${file}`;
}
