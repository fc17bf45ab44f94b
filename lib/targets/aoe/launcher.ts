import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type BlockstoreError, errors } from '../../errors.ts';
import type { Processes, ResidentProcess } from '../../process.ts';

const script = fileURLToPath(new URL('launcher.pl', import.meta.url));

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
  private readonly waiting = new Map<number, Waiting>();
  private child: ResidentProcess | undefined;
  private count = 0;

  constructor(processes: Processes, { asRoot }: { asRoot: boolean }) {
    this.processes = processes;
    this.asRoot = asRoot;
  }

  /**
   * Resolves with the process id once it is forked. The vblade appends its output to the log file and holds the lock file
   * locked as long as it lives; where the lock is taken it ends without a word. Throws CommandNotFound, LauncherEnded.
   */
  async launch(lockFile: string, logFile: string, args: readonly string[]): Promise<number> {
    this.child ??= this.begin();
    const { stdin } = this.child;
    const number = (this.count += 1);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.waiting.set(number, { resolve, reject });
    stdin.write(`${[String(number), lockFile, logFile, ...args].map(encodeURIComponent).join(' ')}\n`);
    return promise;
  }

  /** What was launched goes on. */
  async close(): Promise<void> {
    const { child } = this;
    child?.stdin.end();
    await child?.ended;
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

  private answer(line: string): void {
    const [number, pid] = line.split(' ').map(Number);
    if (number === undefined || pid === undefined) return;
    this.waiting.get(number)?.resolve(pid);
    this.waiting.delete(number);
  }

  /** The next launch begins another one. */
  private lost(child: ResidentProcess, complaint: string): void {
    if (this.child === child) this.child = undefined;
    const error: BlockstoreError =
      child.pid === undefined
        ? errors.commandMissing(this.asRoot ? 'sudo' : 'perl', this.asRoot ? 'sudo' : 'perl-base')
        : errors.launcherEnded(complaint || 'it was killed');
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
