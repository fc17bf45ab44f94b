import { createInterface } from 'node:readline';
import type { BlockstoreError } from '../../errors.ts';
import type { Processes, ResidentProcess } from '../../process.ts';

export interface HelperOptions {
  command: string;
  args: readonly string[];
  /** The Debian package of the command. */
  debianPackage: string;
  asRoot: boolean;
  /** Returns the error for requests that an ended helper did not answer. */
  failure: (reason: string) => BlockstoreError;
  /** Returns the error for a missing command. */
  missing: (command: string, debianPackage: string) => BlockstoreError;
}

interface Pending {
  lines: string[];
  resolve: (lines: string[]) => void;
  reject: (error: Error) => void;
}

/**
 * A small resident process that answers requests, a line each. Words are separated by blanks and percent-encoded; the first is
 * the request's number. The lines of an answer begin with the same number; the last has `done` or `failed` after it.
 * It is started by the first request and ends with the daemon; one that ends before is replaced by the next request.
 */
export class Helper {
  private readonly processes: Processes;
  private readonly options: HelperOptions;
  private readonly pending = new Map<number, Pending>();
  private child: ResidentProcess | undefined;
  private count = 0;

  constructor(processes: Processes, options: HelperOptions) {
    this.processes = processes;
    this.options = options;
  }

  /**
   * Returns the lines of the answer without the number, the last one included. Throws CommandNotFound, and `failure` when
   * the helper ends or gives no whole answer within the limit.
   */
  async request(words: readonly (string | number)[], limitMs: number): Promise<string[]> {
    this.child ??= this.begin();
    const { child } = this;
    const number = (this.count += 1);
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    this.pending.set(number, { lines: [], resolve, reject });
    const timer = setTimeout(() => this.giveUp(child, `no answer within ${limitMs / 1000} s`), limitMs);
    child.stdin.write(`${[number, ...words].map((word) => encodeURIComponent(word)).join(' ')}\n`);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.pending.delete(number);
    }
  }

  /** Ends the helper, by force when it does not end within the limit. */
  async close(limitMs: number): Promise<void> {
    const { child } = this;
    if (!child) return;
    child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    await child.ended;
    clearTimeout(timer);
  }

  private begin(): ResidentProcess {
    const { command, args, asRoot } = this.options;
    const child = asRoot
      ? this.processes.resident('sudo', ['-n', command, ...args], {})
      : this.processes.resident(command, args, {});
    createInterface({ input: child.stdout }).on('line', (line) => this.receive(line));
    let message = '';
    child.stderr.on('data', (text: Buffer) => (message = text.toString().trim()));
    child.reports.resume();
    void child.ended.then(() => this.onEnd(child, message));
    return child;
  }

  private giveUp(child: ResidentProcess, reason: string): void {
    child.kill('SIGKILL');
    this.onEnd(child, reason);
  }

  private receive(line: string): void {
    const [, number, text = ''] = /^(\d+) (.*)$/.exec(line) ?? [];
    const request = this.pending.get(Number(number));
    if (!request) return;
    request.lines.push(text);
    if (/^(done|failed)( |$)/.test(text)) request.resolve(request.lines);
  }

  private onEnd(child: ResidentProcess, reason: string): void {
    if (this.child !== child) return; // already abandoned
    this.child = undefined;
    const { command, asRoot, debianPackage, failure, missing } = this.options;
    const absent = child.pid === undefined;
    const error = absent
      ? missing(asRoot ? 'sudo' : command, asRoot ? 'sudo' : debianPackage)
      : failure(reason || 'it was killed');
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}
