import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pollUntil } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { readIfExistsSync } from '../../files.ts';
import type { Processes } from '../../process.ts';
import { endVblade } from './end-vblade.ts';
import { vbladeFailure } from './failures.ts';
import { Launcher } from './launcher.ts';
import { lockFile, lockHolder, lockHolders } from '../locks.ts';
import { type Vblade, isAlive, readVblade, sameArguments } from './vblade-process.ts';
import type { Supervisor, SupervisorOptions } from './supervisor.ts';

const readyMs = 60_000;
/** From the lock until the process is vblade. */
const startingMs = 5000;

/**
 * Runs vblade as a separate process that holds the lock of its volume while it runs, so that the kernel refuses a second
 * one. One that dies is started again by the
 * daemon's next ensureExport.
 */
export class DetachedSupervisor implements Supervisor {
  readonly name = 'detached';
  private readonly options: SupervisorOptions;
  private readonly processes: Processes;
  private readonly launcher: Launcher;

  constructor(options: SupervisorOptions, processes: Processes) {
    this.options = options;
    this.processes = processes;
    this.launcher = new Launcher(processes, { asRoot: options.asRoot });
  }

  async start(id: string, args: readonly string[]): Promise<Vblade> {
    const started = await this.tryStart(id, args);
    if (started) return started;
    const holder = await this.holder(id);
    if (holder && sameArguments(holder.args, args)) return holder;
    if (holder) await endVblade(id, holder, this.processes);
    const retried = await this.tryStart(id, args);
    if (retried) return retried;
    const lock = lockFile(this.options.directory, id);
    const isHeld = (await lockHolder(this.options.directory, id)) !== undefined;
    throw errors.exportFailed(
      id,
      isHeld ? `its lock ${lock} is held by another process` : 'vblade ended without a word',
    );
  }

  /** A process of its own has no limits. */
  async limit(): Promise<void> {}

  limitsOf(): undefined {}

  async stop(id: string): Promise<void> {
    for (let vblade = await this.holder(id); vblade; vblade = await this.holder(id)) {
      await endVblade(id, vblade, this.processes);
    }
    await rm(lockFile(this.options.directory, id), { force: true });
    await rm(this.logFile(id), { force: true });
  }

  async find(id: string): Promise<Vblade | undefined> {
    const pid = await lockHolder(this.options.directory, id);
    return pid === undefined ? undefined : readVblade(pid);
  }

  async findAll(): Promise<Map<string, Vblade>> {
    const found = new Map<string, Vblade>();
    for (const [id, pid] of await lockHolders(this.options.directory)) {
      const vblade = readVblade(pid);
      if (vblade) found.set(id, vblade);
    }
    return found;
  }

  async configured(): Promise<Map<string, readonly string[]>> {
    return new Map(); // only the daemon starts them
  }

  /** The vblade that has the lock. One that is being started is not vblade yet: it is waited for. */
  private async holder(id: string): Promise<Vblade | undefined> {
    const found = await pollUntil(
      async () => {
        const pid = await lockHolder(this.options.directory, id);
        const vblade = pid === undefined ? undefined : readVblade(pid);
        return pid === undefined || vblade ? { vblade } : undefined;
      },
      { deadlineMs: startingMs },
    );
    return found?.vblade;
  }

  /** Resolves when the new vblade serves; returns undefined when another process has the lock. */
  private async tryStart(id: string, args: readonly string[]): Promise<Vblade | undefined> {
    const log = this.logFile(id);
    const lock = lockFile(this.options.directory, id);
    const pid = await this.launcher.launch(lock, log, args);
    let output = '';
    let ended = false;
    await pollUntil(
      () => {
        ended = !isAlive(pid); // checked before the log is read, so that the log is complete
        output = readIfExistsSync(log) ?? '';
        return ended || readyPid(output) === pid;
      },
      { deadlineMs: readyMs },
    );
    // The log can be that of an earlier vblade, or of the one that has the lock.
    const vblade = readyPid(output) === pid ? readVblade(pid) : undefined;
    if (vblade) return vblade;
    if (ended && (output === '' || (await lockHolder(this.options.directory, id)) !== undefined)) return undefined;
    throw vbladeFailure(id, this.options.interface, ended ? output : `vblade was not ready within ${readyMs / 1000} s`);
  }

  async close(): Promise<void> {
    await this.launcher.close();
  }

  private logFile(id: string): string {
    return join(this.options.directory, `${id}.log`);
  }
}

/** vblade's first line, `pid 4711: e7.1, 20480 sectors O_RDWR`, is written when its socket is open. */
function readyPid(output: string): number | undefined {
  const pid = /^pid (\d+): \S+, \d+ sectors/m.exec(output)?.[1];
  return pid === undefined ? undefined : Number(pid);
}
