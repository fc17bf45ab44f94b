import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What the daemon of `npm start` writes. */
const embeddedFile = join(import.meta.dirname, '..', 'var', 'blockstore.conf');
const systemFile = '/etc/blockstore/blockstore.conf';

/** The configuration file that holds: the one named, else the first of the usual ones that is there. */
export function configFile(named: string | undefined, env = process.env): string | undefined {
  return named ?? env['BLOCKSTORE_CONFIG'] ?? [embeddedFile, systemFile].find((file) => existsSync(file));
}
