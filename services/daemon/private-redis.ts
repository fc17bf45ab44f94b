import { readFile, readlink, realpath } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { pollUntil } from '../../lib/concurrency.ts';
import { processIds } from '../../lib/devices/openers.ts';
import { BlockstoreError, errors } from '../../lib/errors.ts';
import { FileLock } from '../../lib/file-lock.ts';
import { makeDirectory } from '../../lib/files.ts';
import type { Processes } from '../../lib/process.ts';
import type { Service } from '../../lib/service.ts';

/** How long a redis-server may be silent that does not load its data. */
const silenceMs = 10_000;
const answerMs = 2000;

/**
 * The private redis-server of the embedded daemon: a unix socket and an append-only file synced at every write. It runs in
 * its own process group, so that Ctrl-C does not reach it before the daemon stops. After a crash the running one is reused:
 * a second one would write to the same files.
 */
export class PrivateRedis implements Service {
  readonly name = 'private-redis';
  private readonly processes: Processes;
  private readonly directory: string;
  private readonly socket: string;
  private lock: FileLock | undefined;

  constructor(options: { processes: Processes; directory: string; socket: string }) {
    this.processes = options.processes;
    this.directory = options.directory;
    this.socket = options.socket;
  }

  /** Throws StateDirTaken, PrivateRedisFailed. */
  async start(): Promise<void> {
    await makeDirectory(this.directory, 0o700);
    this.lock = await FileLock.take(join(this.directory, 'lock'), this.processes);
    if (this.lock === undefined) throw errors.checkoutTaken(this.directory);
    try {
      await this.waitFor((await this.findProcess()) ?? (await this.begin()));
    } catch (error) {
      await this.lock.release();
      throw error;
    }
  }

  /** SIGTERM makes Redis write its data; waits for its exit. */
  async stop(): Promise<void> {
    const pid = await this.findProcess(); // it can have ended by itself, and another process have its id
    if (pid !== undefined) {
      process.kill(pid, 'SIGTERM');
      await pollUntil(() => !isAlive(pid), { deadlineMs: Infinity, intervalMs: 20 });
    }
    await this.lock?.release();
  }

  private begin(): Promise<number> {
    const settings = {
      port: '0',
      unixsocket: this.socket,
      dir: this.directory,
      pidfile: join(this.directory, 'redis.pid'),
      appendonly: 'yes',
      appendfsync: 'always',
      save: '',
      'maxmemory-policy': 'noeviction',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    return this.processes.detach('redis-server', args, { logFile: this.logFile });
  }

  /** Much data takes long to load: that has no time limit. Throws PrivateRedisFailed. */
  private async waitFor(pid: number): Promise<void> {
    let heard = performance.now();
    const isOver = async () => {
      const answer = await this.answer();
      if (answer.startsWith('+PONG')) return 'up';
      if (answer !== '') heard = performance.now();
      if (!isAlive(pid)) return 'ended';
      return performance.now() - heard >= silenceMs && 'silent';
    };
    const end = await pollUntil(isOver, { deadlineMs: Infinity, intervalMs: 20 });
    if (end === 'up') return;
    const reason =
      end === 'silent'
        ? `process ${pid} does not answer`
        : (await readFile(this.logFile, 'utf8')).trim().split('\n').at(-1);
    throw new BlockstoreError(
      'PrivateRedisFailed',
      'failed',
      `redis-server did not start: ${reason}`,
      `check ${this.logFile}`,
    );
  }

  /** Returns the redis-server of that directory, which is its working directory. */
  private async findProcess(): Promise<number | undefined> {
    const directory = await realpath(this.directory);
    for (const pid of await processIds()) {
      try {
        if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() !== 'redis-server') continue;
        if ((await readlink(`/proc/${pid}/cwd`)) === directory) return Number(pid);
      } catch {
        // It has ended, or belongs to another user.
      }
    }
    return undefined;
  }

  private get logFile(): string {
    return join(this.directory, 'redis.log');
  }

  /** Returns the answer to a PING, an error while Redis loads its data; '' = none. */
  private answer(): Promise<string> {
    return new Promise((resolve) => {
      const client = createConnection(this.socket, () => client.write('PING\r\n'));
      const end = (answer: string) => {
        client.destroy();
        resolve(answer);
      };
      client.setTimeout(answerMs, () => end(''));
      client.once('data', (data) => end(data.toString()));
      client.once('error', () => end(''));
    });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
