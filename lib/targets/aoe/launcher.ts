import { fileURLToPath } from 'node:url';
import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { Helper } from './helper.ts';

const script = fileURLToPath(new URL('launcher.pl', import.meta.url));

/** It forks and answers; nothing that it does may take long. */
const answerMs = 10_000;

/**
 * Starts vblades that outlive this process, each holding a lock. A fork of the daemon copies the page tables of all of
 * Node and stops its event loop meanwhile; this has a small process do it, which is started once and ends with the daemon.
 */
export class Launcher {
  private readonly helper: Helper;
  private readonly limitMs: number;

  constructor(processes: Processes, { asRoot, limitMs = answerMs }: { asRoot: boolean; limitMs?: number }) {
    this.limitMs = limitMs;
    this.helper = new Helper(processes, {
      command: 'perl',
      args: [script],
      debianPackage: 'perl-base',
      asRoot,
      failure: errors.launcherEnded,
      missing: errors.commandMissing,
    });
  }

  /**
   * Resolves with the process id once it is forked. The vblade appends its output to the log file and holds the lock file
   * locked as long as it lives; where the lock is taken it ends without a message. Throws CommandNotFound, LauncherEnded.
   */
  async launch(lockFile: string, logFile: string, args: readonly string[]): Promise<number> {
    const lines = await this.helper.request([lockFile, logFile, ...args], this.limitMs);
    const [, pid] = /^done (\d+)$/.exec(lines.at(-1) ?? '') ?? [];
    if (pid === undefined) throw errors.launcherEnded(lines.join('; '));
    return Number(pid);
  }

  /** Exports that were launched go on. */
  close(): Promise<void> {
    return this.helper.close(this.limitMs);
  }
}
