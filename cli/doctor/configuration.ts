import { stat } from 'node:fs/promises';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { type Finding, ok, warn } from '../../lib/check.ts';

/** Checks who can read and write the configuration file; its contents were checked when the flags were loaded. */
export async function checkConfiguration(loaded: LoadedFlags, file: string | undefined): Promise<Finding> {
  if (file === undefined) return ok('no configuration file: defaults and environment apply');
  const { mode } = await stat(file);
  if ((mode & 0o022) !== 0) return warn(`other users can write to ${file}`, `chmod go-w ${file}`);
  if ((mode & 0o004) !== 0 && hasPassword(loaded)) {
    return warn(`every user can read ${file}, which contains the Redis password`, `chmod o-r ${file}`);
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
