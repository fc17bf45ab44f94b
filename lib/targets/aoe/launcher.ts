import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type BlockstoreError, errors } from '../../errors.ts';
import type { Processes, ResidentProcess } from '../../process.ts';

const script = fileURLToPath(new URL('launcher.pl', import.meta.url));

/** It forks and answers; nothing that it does may take long. */
const answerMs = 10_000;

interface Waiting {
  resolve: (pid: number) => void;
  reject: (error: Error) => void;
}

/**
 * Starts vblades that outlive this process, each holding a lock. A fork of the daemon copies the page tables of all of
 * Node and stops its event loop meanwhile; this has a small process do it, which is started once and ends with the daemon.
 */
export class Launcher {
  private readonly processes: Processes;
  private readonly asRoot: boolean;
  private readonly limitMs: number;
  private readonly waiting = new Map<number, Waiting>();
  private child: ResidentProcess | undefined;
  private count = 0;

  constructor(processes: Processes, { asRoot, limitMs = answerMs }: { asRoot: boolean; limitMs?: number }) {
    this.processes = processes;
    this.asRoot = asRoot;
    this.limitMs = limitMs;
  }

  /**
   * Resolves with the process id once it is forked. The vblade appends its output to the log file and holds the lock file
   * locked as long as it lives; where the lock is taken it ends without a word. Throws CommandNotFound, LauncherEnded.
   */
  async launch(lockFile: string, logFile: string, args: readonly string[]): Promise<number> {
    this.child ??= this.begin();
    const { child } = this;
    const number = (this.count += 1);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.waiting.set(number, { resolve, reject });
    const timer = setTimeout(() => this.giveUp(child, `no answer within ${this.limitMs / 1000} s`), this.limitMs);
    child.stdin.write(`${[String(number), lockFile, logFile, ...args].map(encodeURIComponent).join(' ')}\n`);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What was launched goes on. */
  async close(): Promise<void> {
    const { child } = this;
    if (!child) return;
    child.stdin.end();
    const impatience = setTimeout(() => child.kill('SIGKILL'), this.limitMs);
    await child.ended;
    clearTimeout(impatience);
  }

  private begin(): ResidentProcess {
    const command = ['perl', script];
    const [file = '', ...args] = this.asRoot ? ['sudo', '-n', ...command] : command;
    const child = this.processes.resident(file, args, {});
    createInterface({ input: child.stdout }).on('line', (line) => this.answer(line));
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => (complaint = text.toString().trim()));
    child.reports.resume();
    void child.ended.then(() => this.lost(child, complaint));
    return child;
  }

  private giveUp(child: ResidentProcess, reason: string): void {
    child.kill('SIGKILL');
    this.lost(child, reason);
  }

  private answer(line: string): void {
    if (!/^\d+ \d+$/.test(line)) return;
    const [number = 0, pid = 0] = line.split(' ').map(Number);
    this.waiting.get(number)?.resolve(pid);
    this.waiting.delete(number);
  }

  /** The next launch begins another one. */
  private lost(child: ResidentProcess, complaint: string): void {
    if (this.child !== child) return; // given up before
    this.child = undefined;
    const error: BlockstoreError =
      child.pid === undefined
        ? errors.commandMissing(this.asRoot ? 'sudo' : 'perl', this.asRoot ? 'sudo' : 'perl-base')
        : errors.launcherEnded(complaint || 'it was killed');
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
