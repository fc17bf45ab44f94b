import { CommandError } from '../../command-error.ts';
import { Semaphore } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { AnswerReader, parseAnswer } from './answer.ts';
import { type Lvm, type LvmAnswer, type LvmCommandOptions, defaultTimeoutMs } from './lvm.ts';

/**
 * Runs a process per command: requires only sudo for `lvm` and an LVM that reports in JSON, at ten times the cost of the
 * resident shell. One at a time, because the processes would wait for each other's lock on the group.
 */
export class ForkedLvm implements Lvm {
  private readonly processes: Processes;
  private readonly settings: string;
  private readonly mutex = new Semaphore(1);

  /** `settings`: LVM configuration that precedes the host's. */
  constructor(processes: Processes, settings: string) {
    this.processes = processes;
    this.settings = settings;
  }

  command(args: readonly string[], options: LvmCommandOptions = {}): Promise<LvmAnswer> {
    const { timeoutMs = defaultTimeoutMs, signal, urgent: isUrgent = false } = options;
    return this.mutex.run(() => this.run(args, timeoutMs), signal, { isUrgent });
  }

  async close(): Promise<void> {
    await this.mutex.run(async () => {});
  }

  private async run(args: readonly string[], timeoutMs: number): Promise<LvmAnswer> {
    const [name = '', ...rest] = args;
    try {
      const { stdout } = await this.processes.run('lvm', [name, '--config', this.settings, ...rest], {
        timeoutMs,
        asRoot: true,
      });
      return read(args, stdout, 0);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      return failed(args, error);
    }
  }
}

function failed(args: readonly string[], error: CommandError): LvmAnswer {
  const { notFound, exitCode, stdout, stderr } = error.failure;
  if (notFound) throw errors.commandMissing('lvm', 'lvm2');
  // 128 and above: sudo's report of a command that a signal ended.
  if (exitCode === undefined || exitCode >= 128) throw errors.lvmInterrupted(args.join(' '), error.message);
  // Without a report sudo failed, or LVM before it began; the settings in the command line would hide the reason.
  if (!stdout.includes('{')) {
    throw errors.lvmFailed(args.join(' '), stderr.trim() || stdout.trim() || `exit code ${exitCode}, without a reason`);
  }
  const answer = read(args, stdout, exitCode);
  return answer.messages.length > 0 ? answer : { ...answer, messages: stderr.trim().split('\n') };
}

function read(args: readonly string[], stdout: string, exitCode: number): LvmAnswer {
  const [text] = new AnswerReader().feed(`${stdout}\n`);
  try {
    return parseAnswer(text ?? '', exitCode);
  } catch (cause) {
    throw errors.lvmInterrupted(
      args.join(' '),
      `its answer cannot be read: ${stdout.slice(0, 200)} (${String(cause)})`,
    );
  }
}
