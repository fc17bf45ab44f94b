import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, realpath, rename, writeFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { BlockstoreError } from '../../lib/errors.ts';
import type { Service } from '../../lib/service.ts';

/**
 * Who this daemon is: the same at every start on the same state directory, and one daemon at a time. So a crashed daemon
 * has its node's name back at once, while the same name on another machine waits for the lease to end.
 */
export class Identity implements Service {
  readonly name = 'identity';
  private readonly stateDir: string;
  private server: Server | undefined;
  private holderName = '';

  constructor(stateDir: string) {
    this.stateDir = stateDir;
  }

  /** Host name and a random part. */
  get holder(): string {
    return this.holderName;
  }

  /** Throws StateDirTaken, StateDirUnusable. */
  async start(): Promise<void> {
    try {
      await makeDirectory(resolve(this.stateDir));
      await this.lock(await realpath(this.stateDir));
      this.holderName = await this.read();
    } catch (error) {
      if (error instanceof BlockstoreError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new BlockstoreError(
        'StateDirUnusable',
        'failed',
        `the state directory ${this.stateDir} cannot be used: ${reason}`,
        'make it writable for the daemon, or set state_dir',
        { cause: error },
      );
    }
  }

  async stop(): Promise<void> {
    if (!this.server) return;
    this.server.close();
    await once(this.server, 'close');
  }

  /** A socket of the abstract name space: the kernel gives it to one process, and takes it back when that one is gone. */
  private async lock(directory: string): Promise<void> {
    const name = createHash('sha256').update(directory).digest('hex').slice(0, 32);
    const server = createServer();
    const listening = Promise.race([
      once(server, 'listening'),
      once(server, 'error').then(([error]: unknown[]) => {
        throw error;
      }),
    ]);
    server.listen(`\0blockstore-${name}`);
    try {
      await listening;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
      throw new BlockstoreError(
        'StateDirTaken',
        'conflict',
        `another daemon runs on the state directory ${this.stateDir}`,
        'stop it first, or give this one another state_dir',
      );
    }
    server.unref();
    this.server = server;
  }

  private async read(): Promise<string> {
    const file = join(this.stateDir, 'identity');
    try {
      return (await readFile(file, 'utf8')).trim();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
    const identity = `${hostname()}/${randomUUID().slice(0, 8)}`;
    await writeFile(`${file}.new`, `${identity}\n`, { flush: true });
    await rename(`${file}.new`, file);
    return identity;
  }
}

/** With its parents. Not by mkdir's `recursive`, which never returns where a parent takes no directories, such as /proc. */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o750 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(directory) === directory) throw error;
    await makeDirectory(dirname(directory));
    await mkdir(directory, { mode: 0o750 });
  }
}
