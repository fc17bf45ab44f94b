import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LvmDriver, type LvmOptions } from '../../lib/drivers/lvm/driver.ts';
import { silentLog } from '../../lib/log.ts';
import { ChildProcesses, type RunOptions, type RunResult } from '../../lib/process.ts';

const commands = join(import.meta.dirname, 'commands');

/** What may become of one call of a command. */
export const faults = [
  'exit 5',
  'exit 139',
  'hang',
  'half an output',
  'a warning',
  'non-JSON lines',
  'ENOSPC',
  'EPERM',
] as const;

/** The real processes, on a PATH of the test's own: commands there have the faults that they are given, one a call. */
export class FaultyCommands extends ChildProcesses {
  readonly directory: string;
  /** The most that any command may take: a test that lets one hang makes it short. */
  limitMs = 60_000;
  private readonly real: Record<string, string> = {};
  /** Whether a resident can be started. */
  residents = true;

  private constructor(directory: string) {
    super();
    this.directory = directory;
  }

  static async create(parent = tmpdir()): Promise<FaultyCommands> {
    const made = new FaultyCommands(await mkdtemp(join(parent, 'blockstore-faults-')));
    await mkdir(join(made.directory, 'bin'));
    await mkdir(join(made.directory, 'lvs'));
    await mkdir(join(made.directory, 'next'));
    await mkdir(join(made.directory, 'refused'));
    await symlink(join(commands, 'lvm'), join(made.directory, 'bin', 'lvm'));
    return made;
  }

  /** Puts a command on the PATH, in front of a real one, or as one that succeeds at nothing. */
  async put(name: string, real = 'true'): Promise<void> {
    this.real[`REAL_${name}`] = real;
    await cp(join(commands, 'command'), join(this.directory, 'bin', name));
  }

  /** The next calls of the command have these faults; '' is none. */
  async give(command: string, ...next: string[]): Promise<void> {
    await writeFile(join(this.directory, 'next', command), next.map((fault) => `${fault}\n`).join(''));
  }

  /** LVM does not activate that logical volume, or that group, and says so. */
  async refuseActivation(name: string, message: string): Promise<void> {
    await writeFile(join(this.directory, 'refused', name), `${message}\n`);
  }

  async calls(): Promise<string[]> {
    const text = await readFile(join(this.directory, 'calls'), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  /** An LVM driver that runs them. */
  lvmDriver(options: Partial<LvmOptions> = {}): LvmDriver {
    const usual: LvmOptions = {
      volumeGroup: 'pool',
      storageDev: [],
      storageCreate: false,
      volumeClear: 'zero',
      volumeClearMiBps: 0,
      snapshotPercent: 100,
      lvmType: 'thick',
      thinPool: '',
      maxOverSubscription: 1,
      numShellTries: 2,
      directory: join(this.directory, 'lvm'),
    };
    return new LvmDriver({ ...usual, ...options }, { processes: this, log: silentLog });
  }

  /** What the fake lvm has. */
  async logicalVolumes(): Promise<string[]> {
    return readdir(join(this.directory, 'lvs'));
  }

  override run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const timeoutMs = Math.min(options.timeoutMs ?? this.limitMs, this.limitMs);
    return super.run(command, args, { ...options, timeoutMs, env: { ...options.env, ...this.env } });
  }

  override resident(command: string, args: readonly string[], env: Record<string, string>) {
    return super.resident(this.residents ? command : 'false', args, { ...env, ...this.env });
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  private get env(): Record<string, string> {
    const path = `${join(this.directory, 'bin')}:${process.env['PATH'] ?? ''}`;
    return { ...this.real, FAULTS: this.directory, PATH: path };
  }
}
