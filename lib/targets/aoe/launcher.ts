import { fileURLToPath } from 'node:url';
import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { Helper } from './helper.ts';

const script = fileURLToPath(new URL('launcher.pl', import.meta.url));

/** The launcher only forks and replies, which is fast. */
const answerMs = 10_000;

/**
 * Starts vblades that outlive this process and hold a lock each. A fork of the daemon would copy the page tables of Node.js
 * and stop its event loop; a small resident process forks instead. It is started once and ends with the daemon.
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
   * Returns the process id after the fork. The vblade appends its output to the log file and keeps the lock file
   * locked while it runs; if the lock is taken it ends without a message. Throws CommandNotFound, LauncherEnded.
   */
  async launch(lockFile: string, logFile: string, args: readonly string[]): Promise<number> {
    const lines = await this.helper.request([lockFile, logFile, ...args], this.limitMs);
    const [, pid] = /^done (\d+)$/.exec(lines.at(-1) ?? '') ?? [];
    if (pid === undefined) throw errors.launcherEnded(lines.join('; '));
    return Number(pid);
  }

  /** Ends the launcher; exports continue. */
  close(): Promise<void> {
    return this.helper.close(this.limitMs);
  }
}
