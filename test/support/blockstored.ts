import { join } from 'node:path';
import { execa } from 'execa';
import { bundled } from './bundle.ts';
import { Hopeless, until } from './until.ts';

export const launcher = join(await bundled(), 'bin', 'blockstored');

/** A busy machine takes long to start a process. */
const startMs = 180_000;

/** A real blockstored of a test's own, as a process. */
export class Blockstored {
  readonly flags: Readonly<Record<string, string>>;
  private child: ReturnType<typeof Blockstored.spawn>;
  private output = '';
  private over = false;

  private constructor(flags: Record<string, string>, env: Record<string, string>, program: string) {
    this.flags = flags;
    this.child = Blockstored.spawn(flags, env, program);
    this.child.all.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
    void this.child.finally(() => {
      this.over = true;
    });
  }

  /** Begun, perhaps not ready yet. */
  static begin(flags: Record<string, string>, env: Record<string, string> = {}, program = launcher): Blockstored {
    return new Blockstored(flags, env, program);
  }

  /** Ready, or an error with its output. */
  static async start(
    flags: Record<string, string>,
    env?: Record<string, string>,
    program?: string,
  ): Promise<Blockstored> {
    const daemon = Blockstored.begin(flags, env, program);
    await until(
      async () => {
        if (daemon.hasEnded) throw new Hopeless(daemon.log);
        return daemon.log.includes('is ready');
      },
      'blockstored is ready',
      startMs,
    );
    return daemon;
  }

  /** Runs one that is expected to end by itself. */
  static async run(flags: Record<string, string>): Promise<{ exitCode: number | undefined; log: string }> {
    const daemon = Blockstored.begin(flags);
    const { exitCode } = await daemon.child;
    return { exitCode, log: daemon.log };
  }

  get log(): string {
    return this.output;
  }

  get hasEnded(): boolean {
    return this.over;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Stops it as an operator would; returns its exit code. */
  async stop(): Promise<number | undefined> {
    this.child.kill('SIGTERM');
    return this.ended();
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child;
  }

  async ended(): Promise<number | undefined> {
    return (await this.child).exitCode;
  }

  private static spawn(flags: Record<string, string>, env: Record<string, string>, program: string) {
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    return execa(program, args, {
      all: true,
      reject: false,
      stdin: 'ignore',
      env: { BLOCKSTORE_CONFIG: '/dev/null', ...env },
    });
  }
}
