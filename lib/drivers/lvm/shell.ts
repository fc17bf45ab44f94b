import { Semaphore } from '../../concurrency.ts';
import { asError, errors } from '../../errors.ts';
import type { Processes, ResidentProcess } from '../../process.ts';
import { AnswerReader, parseAnswer } from './answer.ts';
import { type Lvm, type LvmAnswer, type LvmCommandOptions, defaultTimeoutMs } from './lvm.ts';

/**
 * A resident `lvm`: most of a command's time is its start. Commands go to its standard input, reports come as JSON on
 * descriptor 3. A shell that dies, hangs or prints an invalid report is ended, and the next command starts another.
 */
export class ShellLvm implements Lvm {
  private readonly processes: Processes;
  private readonly systemDirectory: string;
  private readonly mutex = new Semaphore(1);
  private shell: Shell | undefined;
  private closed = false;

  /** `systemDirectory` has an lvm.conf that enables the command log and JSON. */
  constructor(processes: Processes, systemDirectory: string) {
    this.processes = processes;
    this.systemDirectory = systemDirectory;
  }

  async command(args: readonly string[], options: LvmCommandOptions = {}): Promise<LvmAnswer> {
    const line = commandLine(args);
    const { timeoutMs = defaultTimeoutMs, signal, urgent: isUrgent = false } = options;
    return this.mutex.run(() => this.exchange(line, timeoutMs), signal, { isUrgent });
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.shell?.end();
  }

  private async exchange(line: string, timeoutMs: number): Promise<LvmAnswer> {
    if (this.closed) throw errors.lvmInterrupted(line, 'the driver is closed');
    if (this.shell === undefined || this.shell.over) this.shell = new Shell(this.start());
    return this.shell.exchange(line, timeoutMs);
  }

  private start(): ResidentProcess {
    return this.processes.resident('lvm', [], {
      LVM_SYSTEM_DIR: this.systemDirectory,
      LVM_REPORT_FD: '3',
      // lvm writes a history of its commands to its home directory.
      HOME: this.systemDirectory,
    });
  }
}

interface Question {
  answer: (text: string) => void;
  fail: (reason: string) => void;
}

/** One process of the shell. */
class Shell {
  over = false;
  private readonly process: ResidentProcess;
  private readonly reader = new AnswerReader();
  private question: Question | undefined;
  private complaint = '';

  constructor(process: ResidentProcess) {
    this.process = process;
    process.stdout.resume();
    process.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.complaint = (this.complaint + chunk).slice(-500);
    });
    process.reports.setEncoding('utf8').on('data', (chunk: string) => {
      for (const text of this.reader.feed(chunk)) this.answered(text);
    });
    void process.ended.then(() => {
      this.giveUp(`lvm ended ${this.complaint.trim()}`.trim());
    });
  }

  exchange(line: string, timeoutMs: number): Promise<LvmAnswer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.giveUp(`nothing within ${timeoutMs / 1000} s`), timeoutMs);
      const fail = (reason: string) => {
        clearTimeout(timer);
        reject(errors.lvmInterrupted(line, reason));
      };
      const answer = (text: string) => {
        clearTimeout(timer);
        try {
          resolve(parseAnswer(text));
        } catch (error) {
          this.giveUp(`its answer cannot be read: ${asError(error).message}`);
        }
      };
      this.question = { answer, fail };
      this.process.stdin.write(`${line}\n`);
    });
  }

  /** Closes the input: lvm exits after the current command. */
  async end(): Promise<void> {
    this.process.stdin.end();
    const impatience = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await this.process.ended;
    clearTimeout(impatience);
  }

  private answered(text: string): void {
    // An unexpected report would be taken for that of the next command.
    if (this.question === undefined) return this.giveUp('it answered twice');
    const question = this.question;
    question.answer(text);
    if (this.question === question) this.question = undefined;
  }

  private giveUp(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.process.kill('SIGKILL');
    this.question?.fail(reason);
    this.question = undefined;
  }
}

/** The driver's arguments need no quoting; anything else is refused. */
function commandLine(args: readonly string[]): string {
  const odd = args.find((arg) => !/^[^\s"'\\#][^\s"'\\]*$/.test(arg));
  if (odd !== undefined) throw errors.invalidArgument('LVM argument', odd, 'a word without spaces or quotes');
  return args.join(' ');
}
