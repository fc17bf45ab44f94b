import { join } from 'node:path';
import { errors } from '../lib/errors.ts';
import { isNamed } from '../lib/named-file.ts';

/** Written by the daemon of `npm start`. */
const embeddedFile = join(import.meta.dirname, '..', 'var', 'blockstore.conf');
const systemFile = '/etc/blockstore/blockstore.conf';

/** Returns the configuration file to read: the given one, $BLOCKSTORE_CONFIG, or the first default that exists. */
export function configFile(named: string | undefined, env = process.env): string | undefined {
  if (named?.trim() === '') throw errors.invalidFlags(['--config requires a file name (command line)']);
  const inEnvironment = env['BLOCKSTORE_CONFIG']?.trim() || undefined;
  return named ?? inEnvironment ?? [embeddedFile, systemFile].find((file) => isNamed(file));
}
