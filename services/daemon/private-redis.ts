import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { pollUntil } from '../../lib/concurrency.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import type { Processes } from '../../lib/process.ts';
import type { Service } from '../../lib/service.ts';

const startTimeoutMs = 10_000;

/**
 * The private redis-server of the embedded daemon: a unix socket and an append-only file synced at every write. It runs in
 * its own process group, so that Ctrl-C does not reach it before the daemon stops. After a crash the running one is reused.
 */
export class PrivateRedis implements Service {
  readonly name = 'private-redis';
  private readonly processes: Processes;
  private readonly directory: string;
  private readonly socket: string;
  private pid: number | undefined;

  constructor(options: { processes: Processes; directory: string; socket: string }) {
    this.processes = options.processes;
    this.directory = options.directory;
    this.socket = options.socket;
  }

  async start(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    if (await this.answers()) {
      this.pid = Number(await readFile(this.pidFile, 'utf8'));
      return;
    }
    const settings = {
      port: '0',
      unixsocket: this.socket,
      dir: this.directory,
      appendonly: 'yes',
      appendfsync: 'always',
      save: '',
      'maxmemory-policy': 'noeviction',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const logFile = join(this.directory, 'redis.log');
    const pid = await this.processes.detach('redis-server', args, { logFile });
    this.pid = pid;
    await writeFile(this.pidFile, String(pid));
    const isOver = async () => ((await this.answers()) ? 'up' : !isAlive(pid) && 'ended');
    if ((await pollUntil(isOver, { deadlineMs: startTimeoutMs, intervalMs: 20 })) === 'up') return;
    throw new BlockstoreError(
      'PrivateRedisFailed',
      'failed',
      `redis-server did not start: ${(await readFile(logFile, 'utf8')).trim().split('\n').at(-1)}`,
      `check ${logFile}`,
    );
  }

  /** SIGTERM makes Redis write its data; waits for its exit. */
  async stop(): Promise<void> {
    const { pid } = this;
    if (pid === undefined || !isAlive(pid)) return; // ended by itself, or killed
    process.kill(pid, 'SIGTERM');
    await pollUntil(() => !isAlive(pid), { deadlineMs: Infinity, intervalMs: 20 });
  }

  private get pidFile(): string {
    return join(this.directory, 'redis.pid');
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const client = createConnection(this.socket, () => client.write('PING\r\n'));
      client.once('data', (data) => {
        client.destroy();
        resolve(data.toString().startsWith('+PONG'));
      });
      client.once('error', () => resolve(false));
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
