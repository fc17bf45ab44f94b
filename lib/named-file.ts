import { lstatSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { asError } from './errors.ts';
import { errorCode, isAbsent } from './files.ts';

const maxBytes = 1024 * 1024;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EACCES: 'this user is not permitted to read it; run the command as root, or name another file',
  EISDIR: 'it is a directory',
  ENXIO: 'it is a socket',
  ELOOP: 'its symbolic links form a loop',
};

/**
 * Returns the text of a file that a user named, such as a configuration file, or why it cannot be read. /dev/null, /dev/stdin
 * and the pipes of a shell are such files, too.
 */
export function readNamedFile(path: string): { text: string } | { problem: string } {
  const found = readNamedBytes(path);
  return 'bytes' in found ? { text: found.bytes.toString('utf8') } : found;
}

/** The same for a file that need not be text. */
export function readNamedBytes(path: string): { bytes: Buffer } | { problem: string } {
  try {
    const problem = neverEnds(path);
    return problem === undefined ? { bytes: readFileSync(path) } : { problem };
  } catch (error) {
    return { problem: reasons[errorCode(error) ?? ''] ?? asError(error).message };
  }
}

/** Whether a default file counts: also one that this user cannot see, or a link to nothing, so that its reader says so. */
export function isNamed(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !isAbsent(error) && errorCode(error) !== 'ENOTDIR';
  }
}

/** Of a file with a secret, that is too many. */
export function isReadableByAll(path: string): boolean {
  return (statSync(path).mode & 0o004) !== 0;
}

/** Returns why the file cannot be read to its end, or undefined. */
function neverEnds(path: string): string | undefined {
  const status = statSync(path);
  if (status.size > maxBytes) return 'it is larger than 1 MiB';
  const isDevice = status.isCharacterDevice() || status.isBlockDevice();
  if (!isDevice && !status.isFIFO()) return undefined;
  const place = placeOf(path);
  if (place === undefined || place === '/dev/null') return undefined;
  return isDevice ? 'it is a device' : 'it is a named pipe; name a file, or /dev/stdin';
}

/** Returns undefined for the pipe of a shell (/dev/stdin, /dev/fd/63), which has no path; its writer is there. */
function placeOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}
