import { access, constants } from 'node:fs/promises';
import { type Finding, bad, ok, warn } from '../../check.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import { errorCode, makeDirectory, statIfExists } from '../../files.ts';
import { KnownPool } from './known-pool.ts';

/** What mkdir reports where something else than a directory is in the way, or the parent takes no directories, such as /proc. */
const refusals = new Set(['EEXIST', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EPERM', 'EACCES', 'EROFS']);

/** Creates the directory with its parents. Throws StorageUnusable. */
export async function makePool(directory: string): Promise<void> {
  try {
    await makeDirectory(directory, 0o700);
  } catch (error) {
    if (!refusals.has(errorCode(error) ?? '')) throw error;
    throw errors.poolUnusable(directory);
  }
  if (!(await statIfExists(directory))?.isDirectory()) throw errors.poolUnusable(directory);
}

/** Returns why no file can be created there; undefined where it can. */
export async function notWritable(directory: string): Promise<BlockstoreError | undefined> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EROFS') return errors.poolNotWritable(directory, 'its file system is read-only');
    if (code === 'EACCES') return errors.poolNotWritable(directory, 'the daemon has no permission');
    throw error;
  }
}

/** Throws StorageUnusable where no file can be created. */
export async function checkWritable(directory: string): Promise<void> {
  const problem = await notWritable(directory);
  if (problem) throw problem;
}

/** For doctor. */
export async function checkPool(directory: string, knownPools?: string): Promise<Finding> {
  const state = await statIfExists(directory);
  // Only the daemon's user may read its state directory.
  const replaced = await new KnownPool(directory, knownPools).problem().catch(() => undefined);
  if (replaced) return bad(replaced.message, replaced.hint ?? '');
  if (!state) return warn(`${directory} does not exist yet`, 'the daemon creates it at its first start');
  if (!state.isDirectory()) return bad(`${directory} is not a directory`, 'set volume_pool_dir');
  const problem = await notWritable(directory);
  return problem ? bad(problem.message, problem.hint ?? '') : ok(`pool ${directory}`);
}
