import { realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileUsers } from './file-users.ts';
import { settledUsers, visibleUsers } from './users.ts';

/** Returns who has the storage of a volume open, a block device or a file: a text for each, as far as they are visible. */
export async function usersOfStorage(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isBlockDevice()) return fileUsers(path);
  return (await settledUsers(basename(await realpath(path)), visibleUsers)).users;
}
