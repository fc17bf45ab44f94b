import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CommandError } from '../../command-error.ts';
import { KeyedMutex, pollUntil } from '../../concurrency.ts';
import { type BlockstoreError, asError, errors } from '../../errors.ts';
import { errorCode, readIfExistsSync, removeFile, replaceFile } from '../../files.ts';
import { type Portal, portalText } from '../../iscsi/address.ts';
import { checkPortalUsable } from '../../iscsi/portal.ts';
import type { Log } from '../../log.ts';
import { type ProcessStatus, processStatus } from '../../process-status.ts';
import type { Processes } from '../../process.ts';
import { lockFile, lockHolder } from '../locks.ts';
import { Tgtadm, TgtadmFailure } from './tgtadm.ts';

/** A running tgtd. */
export interface Daemon {
  pid: number;
  startTime: number;
  /** The portal that it was started with, as portalText() writes it. */
  portal: string;
}

export interface TgtdOptions {
  portal: Portal;
  /** Its files: the control socket, the lock that it holds, its log. */
  directory: string;
  /** Default: as a unit of systemd where systemd runs, knows the unit, and that finds its files in `directory`. */
  isUnit?: boolean;
}

const unit = 'blockstore-tgtd.service';
/** The only place where the unit looks for its files. */
const unitDirectory = '/var/lib/blockstore/iscsi';
const lockName = 'tgtd';
const readyMs = 15_000;
/** For how long the socket of a running tgtd can be absent: it may have been started just now. */
const unreachableMs = 3000;
const endMs = 5000;
/** The path of a socket has at most 107 bytes; tgtd adds `.0`. */
const maxSocketPath = 105;
/** One start at a time, also for several backends, which have one tgtd in common. */
const starts = new KeyedMutex();

/**
 * The tgtd of this node, apart from any other one: with a control socket, a lock and a portal of its own. It outlives the
 * blockstore daemon.
 */
export class Tgtd {
  readonly adm: Tgtadm;
  private readonly options: TgtdOptions;
  private readonly processes: Processes;
  private readonly log: Log;

  constructor(options: TgtdOptions, { processes, log }: { processes: Processes; log: Log }) {
    this.options = options;
    this.processes = processes;
    this.log = log;
    this.adm = new Tgtadm(processes, this.socket);
  }

  /** Returns the running tgtd; undefined where none runs. By its lock, or else, as somebody may have removed that, by its socket. */
  async find(): Promise<Daemon | undefined> {
    const holder = await lockHolder(this.options.directory, lockName);
    if (holder !== undefined) return readDaemon(holder);
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const setting = `TGT_IPC_SOCKET=${this.socket}`;
    return pids
      .filter((pid) => hasSetting(pid, setting))
      .map(readDaemon)
      .find((daemon) => daemon !== undefined);
  }

  isRunning({ pid, startTime }: Daemon): boolean {
    return statusOf(pid, startTime) !== undefined;
  }

  /** Whether a signal has stopped it: it answers nobody. */
  isStopped({ pid, startTime }: Daemon): boolean {
    return statusOf(pid, startTime)?.state === 'T';
  }

  /**
   * Returns the tgtd that serves the portal: the one that runs, or a new one. One with another portal is ended. Throws PortalUnusable,
   * TargetDaemonFailed, CommandNotFound.
   */
  ensure(): Promise<Daemon> {
    return starts.run(this.options.directory, async () => {
      const portal = portalText(this.options.portal);
      const found = await this.find();
      if (found?.portal === portal && (await this.untilServing(found, unreachableMs)) !== 'unreachable') return found;
      if (found) {
        const what = found.portal === portal ? 'cannot be reached by its control socket' : 'has another portal';
        this.log.warn(`the iSCSI target daemon ${what}: it is replaced`, { was: found.portal, portal });
        await this.end(found);
      }
      return this.start();
    });
  }

  /** By SIGKILL: tgtd ignores SIGTERM, and buffers no acknowledged writes. Throws TargetDaemonFailed. */
  async end(daemon: Daemon): Promise<void> {
    try {
      process.kill(daemon.pid, 'SIGKILL');
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EPERM') await this.processes.run('kill', ['-s', 'KILL', String(daemon.pid)], { asRoot: true });
      else if (code !== 'ESRCH') throw error;
    }
    const hasEnded = await pollUntil(() => !this.isRunning(daemon), { deadlineMs: endMs });
    if (hasEnded !== true) throw errors.targetDaemonFailed(`process ${daemon.pid} does not exit`);
  }

  private async start(): Promise<Daemon> {
    const { directory, portal } = this.options;
    if (Buffer.byteLength(this.socket) > maxSocketPath) {
      throw errors.targetDaemonFailed(`the path of its control socket is too long, ${this.socket}: shorten state_dir`);
    }
    await checkPortalUsable(portal); // where tgtd cannot bind its portal it listens on all addresses
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const started = (await this.isUnit()) ? await this.startUnit() : await this.startDetached();
    const hasEnded = () => started !== undefined && processStatus(started) === undefined;
    const daemon = await pollUntil(async () => (await this.find()) ?? (hasEnded() && 'ended'), { deadlineMs: readyMs });
    if (daemon === undefined || daemon === 'ended') throw this.startFailure();
    if ((await this.untilServing(daemon, readyMs)) === 'unreachable') throw this.startFailure();
    this.log.info('the iSCSI target daemon is started', { portal: portalText(portal), pid: daemon.pid });
    return daemon;
  }

  /**
   * Where tgtd cannot bind its portal it goes on, on all addresses: such a one is ended. Returns `unreachable` for one whose socket is
   * not there within that time, or that has ended. Throws PortalUnusable, TargetDaemonFailed.
   */
  private async untilServing(daemon: Daemon, ms: number): Promise<'unreachable' | undefined> {
    const expected = portalText(this.options.portal);
    let failure = new TgtadmFailure('it does not answer', false);
    const portals = await pollUntil(
      async () => {
        try {
          const found = await this.adm.portals();
          return found.length > 0 ? found : !this.isRunning(daemon) && [];
        } catch (error) {
          if (!(error instanceof TgtadmFailure)) throw error;
          failure = error;
          return !this.isRunning(daemon) && [];
        }
      },
      { deadlineMs: ms },
    );
    if (portals?.includes(expected)) return undefined;
    const hasEnded = portals?.length === 0;
    if (hasEnded || (portals === undefined && failure.isDown)) return 'unreachable';
    if (portals === undefined) throw errors.targetDaemonFailed(failure.message);
    if (this.isRunning(daemon)) await this.end(daemon);
    await checkPortalUsable(this.options.portal); // names what is in the way
    throw errors.targetDaemonFailed(`it listens on ${portals.join(' and ')} in place of ${expected}`);
  }

  /** The kernel refuses a second one, as the first holds the lock while it runs. Returns the process. */
  private async startDetached(): Promise<number> {
    const { directory, portal } = this.options;
    await removeFile(this.logFile);
    const tgtd = ['tgtd', '-f', '--iscsi', `portal=${portalText(portal)}`];
    const lock = ['--no-fork', '--nonblock', lockFile(directory, lockName)];
    const args = [...lock, 'env', `TGT_IPC_SOCKET=${this.socket}`, ...tgtd];
    return this.processes.detach('flock', args, { logFile: this.logFile, asRoot: true });
  }

  private async startUnit(): Promise<undefined> {
    await replaceFile(join(unitDirectory, 'tgtd.env'), `TGTD_PORTAL=${portalText(this.options.portal)}\n`);
    try {
      await this.processes.run('systemctl', ['restart', unit], { asRoot: true });
    } catch (error) {
      throw errors.targetDaemonFailed(asError(error).message);
    }
    return undefined;
  }

  private async isUnit(): Promise<boolean> {
    const { isUnit, directory } = this.options;
    if (isUnit !== undefined) return isUnit;
    if (directory !== unitDirectory || !existsSync('/run/systemd/system')) return false;
    try {
      await this.processes.run('systemctl', ['cat', unit]);
      return true;
    } catch (error) {
      if (error instanceof CommandError) return false;
      throw error;
    }
  }

  private startFailure(): BlockstoreError {
    const words = readIfExistsSync(this.logFile)?.trim().split('\n').at(-1)?.trim();
    if (words !== undefined && /tgtd.*No such file or directory/.test(words))
      return errors.commandMissing('tgtd', 'tgt');
    return errors.targetDaemonFailed(words || 'it ended at once');
  }

  private get socket(): string {
    return join(this.options.directory, 'tgtd.sock');
  }

  private get logFile(): string {
    return join(this.options.directory, 'tgtd.log');
  }
}

function readDaemon(pid: number): Daemon | undefined {
  const status = processStatus(pid);
  const words = readIfExistsSync(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
  if (!status || !words.some((word) => basename(word) === 'tgtd')) return undefined;
  const portal = words.find((word) => word.startsWith('portal='))?.slice('portal='.length) ?? '';
  return { pid, startTime: status.startTime, portal };
}

/** Of tgtds alone, and of processes whose environment may be read. */
function hasSetting(pid: number, setting: string): boolean {
  try {
    const isTgtd = readIfExistsSync(`/proc/${pid}/cmdline`)?.includes('--iscsi\0portal=') === true;
    return isTgtd && readIfExistsSync(`/proc/${pid}/environ`)?.split('\0').includes(setting) === true;
  } catch (error) {
    if (errorCode(error) === 'EACCES' || errorCode(error) === 'EPERM') return false;
    throw error;
  }
}

function statusOf(pid: number, startTime: number): ProcessStatus | undefined {
  const status = processStatus(pid);
  return status?.startTime === startTime ? status : undefined;
}
