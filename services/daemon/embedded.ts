import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { asError } from '../../lib/errors.ts';
import type { FlagName } from '../../lib/flags/definitions.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { settingsText } from '../../lib/flags/print.ts';
import type { Log } from '../../lib/log.ts';
import { NoneTarget } from '../../lib/targets/none/target.ts';
import type { Backend } from '../node/backends.ts';

/** The kernel limits the path of a unix socket to 108 bytes. */
const maxSocketPath = 100;

/** Returns the directory of the embedded daemon's data, records and configuration. */
export function embeddedDirectory(root: string): string {
  return join(root, 'var');
}

/** Returns the flags of `npm start`: everything under one directory, exports on the loopback interface. */
export function embeddedFlags(root: string): Partial<Record<FlagName, string>> {
  const directory = embeddedDirectory(root);
  return {
    volume_driver: 'file',
    volume_pool_dir: join(directory, 'volumes'),
    aoe_eth_dev: 'lo',
    aoe_unfiltered: 'true',
    state_dir: join(directory, 'state'),
    image_directory: join(directory, 'images'),
    backup_directory: join(directory, 'backups'),
    redis_url: `unix:${redisSocket(directory)}`,
    log_format: 'human',
    api_listen: '127.0.0.1:8776',
  };
}

export function redisSocket(directory: string): string {
  const socket = join(directory, 'redis', 'redis.sock');
  if (socket.length <= maxSocketPath) return socket;
  return join(tmpdir(), `blockstore-${createHash('sha256').update(directory).digest('hex').slice(0, 12)}.sock`);
}

/** Writes the configuration by which the command line finds this daemon's Redis. */
export async function writeEmbeddedConfig(root: string, loaded: Pick<LoadedFlags, 'flags' | 'origins'>): Promise<void> {
  const directory = embeddedDirectory(root);
  await mkdir(directory, { recursive: true });
  await writeFile(
    join(directory, 'blockstore.conf'),
    `# Written by "npm start" for the command line.\n${settingsText(loaded)}`,
    { mode: 0o600 }, // it can have a password
  );
}

/** Returns the backends, without exports where vblade is missing or not permitted; the reason is logged. */
export async function exportIfPossible(backends: readonly Backend[], log: Log): Promise<Backend[]> {
  return Promise.all(
    backends.map(async (backend) => {
      try {
        await backend.target.setup();
        return backend;
      } catch (thrown) {
        const error = asError(thrown);
        log.warn(`volumes are not exported: ${error.message}`, error.hint === undefined ? {} : { hint: error.hint });
        return { ...backend, target: new NoneTarget() };
      }
    }),
  );
}

export const firstSteps = `
blockstored is ready. In another shell, try:

  ./bin/blockstore volume create 1 --name first
  ./bin/blockstore volume list
  ./bin/blockstore volume attach first --instance vm-1 --mountpoint /dev/vdb
  ./bin/blockstore status
  curl http://127.0.0.1:8776/v3/default/volumes/detail

Ctrl-C stops the daemon. Data, records and running exports remain; the next "npm start" continues with them.
`;
