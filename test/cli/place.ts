import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { Blockstored } from '../support/blockstored.ts';
import { bundled } from '../support/bundle.ts';
import { RedisServer } from '../support/redis-server.ts';

const bin = join(await bundled(), 'bin');

export interface Ended {
  exitCode: number | undefined;
  stdout: string;
  stderr: string;
}

/** A redis-server, a directory, daemons and command lines, all processes of their own. `close` leaves nothing behind. */
export class CliPlace {
  readonly directory: string;
  readonly server: RedisServer;
  private readonly cleaners: (() => Promise<unknown>)[] = [];

  private constructor(directory: string, server: RedisServer) {
    this.directory = directory;
    this.server = server;
  }

  static async start(): Promise<CliPlace> {
    const directory = await mkdtemp(join(tmpdir(), 'blockstore-cli-'));
    const place = new CliPlace(directory, await RedisServer.start());
    await writeFile(place.file('blockstore.conf'), '');
    return place;
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  /** A program that is found before those of the machine. */
  async fakeProgram(name: string, script: string): Promise<void> {
    await writeFile(this.file(name), `#!/bin/sh\n${script}\n`);
    await chmod(this.file(name), 0o755);
  }

  /** Nothing of the machine's own settings, and nothing left in anybody's home. */
  get env(): NodeJS.ProcessEnv {
    return {
      PATH: [this.directory, bin, process.env['PATH'] ?? ''].join(delimiter),
      BLOCKSTORE_CONFIG: this.file('blockstore.conf'),
      BLOCKSTORE_REDIS_URL: this.server.url,
      BLOCKSTORE_STATE_DIR: this.file('state'),
      NODE_COMPILE_CACHE: this.file('compiled'),
    };
  }

  spawn(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    return start(file, args, { ...this.env, ...env });
  }

  /** The command line, to its end. */
  async run(...args: string[]): Promise<Ended> {
    const { exitCode, stdout, stderr } = await this.spawn(join(bin, 'blockstore'), args);
    return { exitCode, stdout, stderr };
  }

  /** The same with --json: what it printed. */
  async json(...args: string[]): Promise<unknown> {
    const { exitCode, stdout, stderr } = await this.run(...args, '--json');
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  }

  begin(...args: string[]) {
    return this.spawn(join(bin, 'blockstore'), args);
  }

  /** A line for bash. */
  async shell(line: string): Promise<Ended> {
    const { exitCode, stdout, stderr } = await this.spawn('bash', ['--norc', '-c', line]);
    return { exitCode, stdout, stderr };
  }

  /** A line for a shell on a terminal; both streams come as one. */
  terminal(line: string) {
    return this.spawn('script', ['-qefc', line, '/dev/null'], { TERM: 'xterm' });
  }

  /** A real daemon with fake storage, ready. */
  async daemon(
    name: string,
    storage: Readonly<Record<string, string>> = { fake_storage: 'true' },
  ): Promise<Blockstored> {
    const daemon = await Blockstored.start({
      ...storage,
      storage_name: name,
      state_dir: this.file(`state-${name}`),
      redis_url: this.server.url,
      report_interval: '1',
    });
    this.cleaners.push(() => daemon.kill());
    return daemon;
  }

  async store(prefix = 'blockstore'): Promise<Store> {
    const { flags } = loadFlags({ argv: [`--redis_url=${this.server.url}`] });
    const connection = await connect(flags, silentLog);
    this.cleaners.push(() => connection.close());
    return new Store(connection, prefix);
  }

  async close(): Promise<void> {
    for (const clean of this.cleaners.toReversed()) await clean();
    await this.server.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  return execa(file, args, { env, extendEnv: false, reject: false, timeout: 180_000 });
}
