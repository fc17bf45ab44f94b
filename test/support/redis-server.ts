import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { until } from './until.ts';

/** With much data on disk it takes long to load them. */
const startMs = 180_000;

/** A real redis-server of a test's own: a unix socket and an append-only file in a temporary directory. */
export class RedisServer {
  readonly directory: string;
  readonly socket: string;
  readonly options: readonly string[];
  private child: ReturnType<typeof RedisServer.spawn> | undefined;

  private constructor(directory: string, options: readonly string[]) {
    this.directory = directory;
    this.socket = join(directory, 'redis.sock');
    this.options = options;
  }

  static async start(...options: string[]): Promise<RedisServer> {
    const server = new RedisServer(await mkdtemp(join(tmpdir(), 'blockstore-redis-')), options);
    await server.up();
    return server;
  }

  get url(): string {
    return `unix:${this.socket}`;
  }

  get flags(): { redis_url: string } {
    return { redis_url: this.url };
  }

  async up(): Promise<void> {
    this.child = RedisServer.spawn(this);
    await until(() => this.answers(), 'redis-server answers', startMs);
  }

  /** What is on disk stays: `up` brings it back. */
  async down(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.child?.kill(signal);
    await this.child;
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** Keeps its data as they are; what is returned starts it again from this older copy. The connections are lost both times. */
  async keepCopy(): Promise<() => Promise<void>> {
    const [files, copy] = [join(this.directory, 'appendonlydir'), join(this.directory, 'copy')];
    await this.down();
    await cp(files, copy, { recursive: true });
    await this.up();
    return async () => {
      await this.down('SIGKILL');
      await rm(files, { recursive: true });
      await cp(copy, files, { recursive: true });
      await this.up();
    };
  }

  async stop(): Promise<void> {
    await this.down('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Whatever it answers, also that it wants a password. */
  private async answers(): Promise<boolean> {
    const client = createConnection(this.socket);
    try {
      client.write('PING\r\n');
      const [answer]: unknown[] = await once(client, 'data');
      return /^(\+PONG|-NOAUTH)/.test(String(answer));
    } finally {
      client.destroy();
    }
  }

  private static spawn(server: RedisServer) {
    const args = ['--port', '0', '--unixsocket', server.socket, '--dir', server.directory, '--appendonly', 'yes'];
    return execa('redis-server', [...args, '--save', '', ...server.options], { reject: false, stdio: 'ignore' });
  }
}
