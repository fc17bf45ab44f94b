import { CommandError } from '../../command-error.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import type { Chap } from '../target.ts';
import { SharedRead } from './shared-read.ts';
import { type ShownConnection, type ShownTarget, parseConnections, parsePortals, parseTargets } from './show.ts';

/** It only asks tgtd, which answers at once unless it hangs. */
const answerMs = 10_000;

/** How a request to tgtd ended: its own words; `isDown` where no tgtd answers. */
export class TgtadmFailure extends Error {
  readonly isDown: boolean;

  constructor(words: string, isDown: boolean) {
    super(words);
    this.isDown = isDown;
  }
}

/** Requests to the tgtd with one control socket. Failures are TgtadmFailure: a command line would show the secret. */
export class Tgtadm {
  private readonly processes: Processes;
  private readonly socket: string;
  /** All targets each time: of many exports that are made at once, several read them. */
  private readonly list = new SharedRead(async () => parseTargets(await this.run('show', 'target')));

  constructor(processes: Processes, socket: string) {
    this.processes = processes;
    this.socket = socket;
  }

  targets(): Promise<ShownTarget[]> {
    return this.list.get();
  }

  async portals(): Promise<string[]> {
    return parsePortals(await this.run('show', 'portal'));
  }

  async connections(tid: number): Promise<ShownConnection[]> {
    return parseConnections(await this.run('show', 'conn', '--tid', String(tid)));
  }

  async closeConnection(tid: number, { session, connection }: ShownConnection): Promise<void> {
    const ids = ['--tid', String(tid), '--sid', String(session), '--cid', String(connection)];
    await this.run('delete', 'conn', ...ids);
  }

  async newTarget(tid: number, name: string): Promise<void> {
    await this.run('new', 'target', '--tid', String(tid), '--targetname', name);
  }

  /** Also with sessions. */
  async deleteTarget(tid: number): Promise<void> {
    await this.run('delete', 'target', '--force', '--tid', String(tid));
  }

  async newUnit(tid: number, lun: number, path: string, parameters: Readonly<Record<string, string>>): Promise<void> {
    const unit = ['--tid', String(tid), '--lun', String(lun)];
    await this.run('new', 'logicalunit', ...unit, '--backing-store', path);
    const list = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
    await this.run('update', 'logicalunit', ...unit, '--params', list.join(','));
  }

  /** Creates the account and has the target demand it. */
  async demand(tid: number, { user, secret }: Chap): Promise<void> {
    // The secret is in the argument list for as long as tgtadm runs: it takes it in no other way.
    const create = () => this.run('new', 'account', '--user', user, '--password', secret);
    try {
      await create();
    } catch (error) {
      if (!(error instanceof TgtadmFailure) || !error.message.includes('already exists')) throw error;
      await this.deleteAccount(user); // left by an attempt that failed: no other target has this user
      await create();
    }
    await this.run('bind', 'account', '--tid', String(tid), '--user', user);
  }

  async deleteAccount(user: string): Promise<void> {
    await this.run('delete', 'account', '--user', user);
  }

  async admit(tid: number, who: string): Promise<void> {
    await this.run('bind', 'target', '--tid', String(tid), ...ruleOf(who));
  }

  async refuse(tid: number, who: string): Promise<void> {
    await this.run('unbind', 'target', '--tid', String(tid), ...ruleOf(who));
  }

  private async run(operation: string, mode: string, ...rest: string[]): Promise<string> {
    const args = [`--op=${operation}`, '--lld', 'iscsi', '--mode', mode, ...rest];
    const options = { env: { TGT_IPC_SOCKET: this.socket }, asRoot: true, timeoutMs: answerMs };
    try {
      const { stdout, stderr } = await this.processes.run('tgtadm', args, options);
      // Where tgtd ends before it has answered, tgtadm says so and succeeds: an empty answer would mean that there are no targets.
      const words = complaintIn(stderr);
      if (words !== undefined) throw new TgtadmFailure(words, false);
      return stdout;
    } catch (error) {
      throw error instanceof CommandError ? failureOf(error) : error;
    }
  }
}

/** Every host, in the words of tgtd. */
export const everyHost = 'ALL';

/** tgtd has two kinds of rules, by the address and by the name of an initiator. */
function ruleOf(who: string): string[] {
  const isName = /^(iqn|eui|naa)\./.test(who);
  return isName ? ['--initiator-name', who] : ['--initiator-address', who];
}

const notConnected = 107;

function failureOf({ failure }: CommandError): TgtadmFailure | BlockstoreError {
  if (failure.notFound) return errors.commandMissing('tgtadm', 'tgt');
  if (failure.timedOut) return new TgtadmFailure('tgtd does not answer', false);
  const lastLine = failure.stderr.trim().split('\n').at(-1) ?? '';
  const words = lastLine.replace(/^tgtadm: /, '').trim();
  const isDown =
    failure.exitCode === notConnected || /connect to the tgt daemon|connection refused|no such file/i.test(words);
  return new TgtadmFailure(words || `tgtadm failed with exit code ${failure.exitCode}`, isDown);
}

/** Of tgtadm alone: sudo warns there as well. */
function complaintIn(stderr: string): string | undefined {
  return /^(?:tgtadm: |(?=failed to read from tgtd))(.*\S)/m.exec(stderr)?.[1];
}
