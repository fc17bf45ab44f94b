import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../../../lib/command-error.ts';
import { IscsiConnector } from '../../../lib/connectors/iscsi.ts';
import { ChildProcesses, type RunResult } from '../../../lib/process.ts';
import { Cut } from './cut.ts';

interface Unit {
  serial?: string;
  bytes: number;
}

/** What `iscsid.conf` may have for other targets. */
const defaults = [
  'node.startup = automatic',
  'node.conn[0].startup = automatic',
  'node.session.nr_sessions = 4',
  'node.session.auth.authmethod = CHAP',
  'node.session.auth.username = somebody',
  'node.session.auth.username_in = target',
  'node.session.auth.password_in = of-the-target',
  'node.session.timeo.replacement_timeout = 300',
];

/**
 * A fake host with open-iscsi, for faults: iscsiadm keeps records as the real one does, and a login makes a session with one disk in
 * a directory like /sys. What the real ones do is tested in the lab.
 */
export class FakeInitiator extends ChildProcesses {
  /** Each command, with its arguments. */
  readonly calls: string[] = [];
  /** Exit codes of iscsiadm, by an option such as --login. */
  readonly fails = new Map<string, number>();
  /** Called at each command. */
  onCall: (call: string) => void = () => {};
  readonly cut = new Cut();
  readonly notes: string[] = [];
  isInstalled = true;
  readonly connector: IscsiConnector;
  private readonly directory: string;
  private readonly unit: Unit;
  private session = 0;

  constructor(directory: string, unit: Unit) {
    super();
    this.directory = directory;
    this.unit = unit;
    const places = {
      system: this.file('sys'),
      devices: this.file('dev'),
      udev: this.file('no-udev'),
      initiatorName: this.file('initiatorname.iscsi'),
      records: [this.file('nodes')],
    };
    this.connector = new IscsiConnector({ processes: this, places, note: (text) => this.notes.push(text) });
  }

  file(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Makes the session that a login would make. */
  async logIn(targetName: string, { state = 'LOGGED_IN', serial = this.unit.serial } = {}): Promise<void> {
    this.session += 1;
    const session = this.file('sys/class/iscsi_session', `session${this.session}`);
    const unit = join(session, 'device/target2:0:0/2:0:0:1');
    await mkdir(join(unit, 'block/sdfake'), { recursive: true });
    await mkdir(this.file('dev'), { recursive: true });
    await writeFile(this.file('dev/sdfake'), '');
    await writeFile(join(session, 'targetname'), `${targetName}\n`);
    await writeFile(join(session, 'state'), `${state}\n`);
    await writeFile(join(unit, 'block/sdfake/size'), `${this.unit.bytes / 512}\n`);
    if (serial !== undefined) await writeFile(join(unit, 'vpd_pg80'), Buffer.from(`\0\x80\0\x24${serial}`, 'latin1'));
  }

  get sessions(): string {
    return this.file('sys/class/iscsi_session');
  }

  override run(command: string, args: readonly string[]): Promise<RunResult> {
    return this.cut.run(() => this.execute(command, args));
  }

  private async execute(command: string, args: readonly string[]): Promise<RunResult> {
    const words = command === 'setsid' ? args.slice(1) : [command, ...args];
    const call = words.join(' ');
    this.calls.push(call);
    this.onCall(call);
    if (words[0] === 'tee') await this.removeDisks();
    if (words[0] === 'iscsiadm') {
      if (!this.isInstalled) throw failure(call, { notFound: true });
      for (const [option, exitCode] of this.fails) {
        if (words.includes(option)) throw failure(call, { exitCode });
      }
      await this.obey(words);
    }
    return { stdout: '', stderr: '' };
  }

  private async obey(words: readonly string[]): Promise<void> {
    const valueOf = (option: string) => words[words.indexOf(option) + 1] ?? '';
    const targetName = valueOf('--targetname');
    if (words.includes('new')) {
      const [, ip = '', port = '', group = ''] = /^\[?(.+?)\]?:(\d+),(\d+)$/.exec(valueOf('--portal')) ?? [];
      const directory = this.file('nodes', targetName, `${ip},${port},${group}`);
      await mkdir(directory, { recursive: true });
      const lines = ['# BEGIN RECORD 2.1.8', `node.name = ${targetName}`, ...defaults, '# END RECORD', ''];
      await writeFile(join(directory, 'default'), lines.join('\n'), { mode: 0o600 });
    } else if (words.includes('delete')) {
      await rm(this.file('nodes', targetName), { recursive: true });
    } else if (words.includes('--login')) {
      await this.logIn(targetName);
    } else if (words.includes('--logout')) {
      await rm(join(this.sessions, `session${valueOf('--sid')}`), { recursive: true });
    }
  }

  private async removeDisks(): Promise<void> {
    for (const session of await readdir(this.sessions)) {
      await rm(join(this.sessions, session, 'device'), { recursive: true, force: true });
    }
  }

  record(targetName: string, portal: string): Promise<string> {
    return readFile(this.file('nodes', targetName, portal, 'default'), 'utf8');
  }
}

function failure(command: string, { exitCode, notFound = false }: { exitCode?: number; notFound?: boolean }): Error {
  return new CommandError({
    command,
    exitCode,
    signal: undefined,
    timedOut: false,
    cancelled: false,
    notFound,
    stdout: '',
    stderr: 'iscsiadm: initiator reported error (9 - internal error)\n',
  });
}
