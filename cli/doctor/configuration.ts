import { stat } from 'node:fs/promises';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { type Finding, ok, warn } from './finding.ts';

/** The flags were loaded, so the file is there and right; what is left is who may read and write it. */
export async function checkConfiguration(loaded: LoadedFlags, file: string | undefined): Promise<Finding> {
  if (file === undefined) return ok('no configuration file: defaults and environment hold');
  const { mode } = await stat(file);
  if ((mode & 0o022) !== 0) return warn(`others may write to ${file}`, `chmod go-w ${file}`);
  if ((mode & 0o004) !== 0 && hasPassword(loaded)) {
    return warn(`every user may read ${file}, which has the password of Redis`, `chmod o-r ${file}`);
  }
  return ok(`configuration ${file}`);
}

function hasPassword({ flags, origins }: LoadedFlags): boolean {
  const inFile = (name: 'redis_password' | 'redis_url') => origins[name].startsWith('file ');
  return (
    (inFile('redis_password') && flags.redis_password !== '') ||
    (inFile('redis_url') && hasCredentials(flags.redis_url))
  );
}

/** Whether a URL carries a password. */
export function hasCredentials(url: string): boolean {
  return URL.canParse(url) && new URL(url).password !== '';
}
