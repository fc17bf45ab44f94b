import { unlessAborted } from '../../lib/concurrency.ts';
import { asError, errors } from '../../lib/errors.ts';
import { errorCode, statIfExists } from '../../lib/files.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';

/** A file server that answers later keeps no daemon from its start. */
const limitMs = 5000;

type DirectoryFlags = Pick<Flags, 'image_directory' | 'image_url' | 'backup_directory' | 'backup_s3_url'>;

/**
 * Directories of images and backups are made when something is stored, often long after the start. Throws InvalidFlags where one cannot
 * be, because there is something else.
 */
export async function checkDirectories(flags: DirectoryFlags, log: Log): Promise<void> {
  const problems: string[] = [];
  const { image_url: images, image_directory, backup_s3_url: bucket, backup_directory } = flags;
  const named = { ...(images === '' ? { image_directory } : {}), ...(bucket === '' ? { backup_directory } : {}) };
  for (const [flag, path] of Object.entries(named)) {
    try {
      const status = await unlessAborted(statIfExists(path), AbortSignal.timeout(limitMs));
      if (status?.isDirectory() !== false) continue;
      problems.push(`${flag} = ${JSON.stringify(path)} is not a directory`);
    } catch (error) {
      if (errorCode(error) === 'ENOTDIR') problems.push(`${flag} = ${JSON.stringify(path)} is below a file`);
      else log.warn(`${flag} = ${JSON.stringify(path)} could not be checked: ${asError(error).message}`);
    }
  }
  if (problems.length > 0) throw errors.invalidFlags(problems);
}
