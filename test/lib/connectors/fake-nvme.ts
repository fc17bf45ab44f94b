import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../../../lib/command-error.ts';
import { NvmeConnector } from '../../../lib/connectors/nvme.ts';
import { ChildProcesses, type RunResult } from '../../../lib/process.ts';
import { Cut } from './cut.ts';

interface Namespace {
  uuid: string;
  bytes: number;
}

/**
 * A fake host with nvme-cli, for faults: a connection makes a controller and a device in a directory like /sys. What the real ones do
 * is tested on a guest.
 */
export class FakeNvme extends ChildProcesses {
  /** Each command, with its arguments. */
  readonly calls: string[] = [];
  /** What nvme says before it fails, by its first argument. */
  readonly fails = new Map<string, string>();
  readonly cut = new Cut();
  isInstalled = true;
  readonly connector: NvmeConnector;
  private readonly directory: string;
  private readonly namespace: Namespace;

  constructor(directory: string, namespace: Namespace) {
    super();
    this.directory = directory;
    this.namespace = namespace;
    const places = {
      system: this.file('sys'),
      devices: this.file('dev'),
      udev: this.file('no-udev'),
      hostNqn: this.file('hostnqn'),
    };
    this.connector = new NvmeConnector({ processes: this, places });
  }

  file(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Makes the controller that a connection would make. */
  async hold(nqn: string, { ip = '127.0.0.1', port = 4420, state = 'live' } = {}): Promise<void> {
    const number = (await readdir(this.file('sys/class/nvme')).catch(() => [])).length;
    const controller = this.file('sys/class/nvme', `nvme${number}`);
    const subsystem = this.file('sys/class/nvme-subsystem/nvme-subsys0');
    const disk = join(subsystem, 'nvme0n1');
    const files = {
      [join(controller, 'subsysnqn')]: `${nqn}\n`,
      [join(controller, 'state')]: `${state}\n`,
      [join(controller, 'address')]: `traddr=${ip},trsvcid=${port},src_addr=${ip}\n`,
      [join(subsystem, 'subsysnqn')]: `${nqn}\n`,
      [join(disk, 'size')]: `${this.namespace.bytes / 512}\n`,
      [join(disk, 'nsid')]: '1\n',
      [join(disk, 'uuid')]: `${this.namespace.uuid}\n`,
      [this.file('dev/nvme0n1')]: '',
    };
    for (const directory of [controller, disk, this.file('dev')]) await mkdir(directory, { recursive: true });
    // What is hidden below a controller with multipath is no device of its own.
    await mkdir(join(controller, 'nvme0c0n1'));
    for (const [file, text] of Object.entries(files)) await writeFile(file, text);
  }

  override run(command: string, args: readonly string[]): Promise<RunResult> {
    return this.cut.run(() => this.obey(command, args));
  }

  private async obey(command: string, args: readonly string[]): Promise<RunResult> {
    const [, program, verb = ''] = args;
    if (command !== 'setsid' || program !== 'nvme') return { stdout: '', stderr: '' };
    this.calls.push(args.slice(2).join(' '));
    if (!this.isInstalled) throw failure('setsid: failed to execute nvme: No such file or directory', 127);
    const words = this.fails.get(verb);
    if (words !== undefined) throw failure(words, 1);
    const value = (name: string) => args.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';
    if (verb === 'connect') await this.hold(value('nqn'), { ip: value('traddr'), port: Number(value('trsvcid')) });
    if (verb === 'disconnect') await rm(this.file('sys/class'), { recursive: true, force: true });
    return { stdout: '', stderr: '' };
  }
}

function failure(stderr: string, exitCode: number): CommandError {
  return new CommandError({
    command: 'nvme',
    exitCode,
    signal: undefined,
    timedOut: false,
    cancelled: false,
    notFound: false,
    stdout: '',
    stderr,
  });
}
