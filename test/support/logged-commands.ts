import { ChildProcesses, type RunOptions, type RunResult } from '../../lib/process.ts';

/** Answers a command line with its output, or throws. */
type Answer = (line: string) => string;

/** Logs commands in place of running them, as the FakeISCSIDriver of the 2010 code does: a test of which commands run, and no program. */
export class LoggedCommands extends ChildProcesses {
  /** In the order of their start; those that run as root begin with `sudo`. */
  readonly lines: string[] = [];
  private readonly answer: Answer;
  private readonly stderr: string;

  constructor(answer: Answer = () => '', stderr = '') {
    super();
    this.answer = answer;
    this.stderr = stderr;
  }

  override async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const line = [command, ...args].join(' ');
    this.lines.push(options.asRoot ? `sudo ${line}` : line);
    return { stdout: this.answer(line), stderr: this.stderr };
  }
}
