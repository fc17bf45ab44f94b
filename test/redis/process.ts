import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { freePort } from '../support/free-port.ts';
import { Hopeless, until } from '../support/until.ts';

/** One real redis-server (or, by its options, Sentinel) on a port of the loopback interface, with a folder of its own. */
export class RedisProcess {
  readonly port: number;
  readonly directory: string;
  private readonly args: readonly string[];
  private child: ReturnType<typeof RedisProcess.spawn> | undefined;

  private constructor(port: number, directory: string, args: readonly string[]) {
    this.port = port;
    this.directory = directory;
    this.args = args;
  }

  /** Below `parent`, where its folder is made. */
  static async start(parent: string, ...args: string[]): Promise<RedisProcess> {
    const port = await freePort();
    const directory = join(parent, String(port));
    await mkdir(directory);
    const redis = new RedisProcess(port, directory, args);
    await redis.up();
    return redis;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async up(): Promise<void> {
    let hasEnded = false;
    this.child = RedisProcess.spawn(this);
    void this.child.then(() => {
      hasEnded = true;
    });
    await until(async () => {
      // What answers in its place would be the server of another test.
      if (hasEnded) throw new Hopeless(`redis-server did not start at ${this.address}`);
      return /PONG|NOAUTH/.test(await this.cli('PING'));
    }, `Redis at ${this.address} answers`);
  }

  /** What redis-cli prints. */
  async cli(...args: string[]): Promise<string> {
    const { stdout } = await execa('redis-cli', ['-h', '127.0.0.1', '-p', String(this.port), ...args], {
      timeout: 60_000,
    });
    return stdout.trim();
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  /** What is on disk stays: `up` brings it back. */
  async kill(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.child;
  }

  private static spawn({ port, directory, args }: RedisProcess) {
    const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
    return execa('redis-server', [...args, ...own], { cwd: directory, reject: false, stdio: 'ignore' });
  }
}
