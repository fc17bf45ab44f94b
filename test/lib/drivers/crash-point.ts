import { CommandError } from '../../../lib/command-error.ts';
import { ChildProcesses, type RunOptions, type RunResult } from '../../../lib/process.ts';
import type { SanAnswer, SanShell } from '../../../lib/san/shell.ts';

/**
 * `killed`: the daemon is killed before the command, so that neither this one nor a later one runs. `unanswered`: the command runs, but
 * its failure is reported, and the driver goes on.
 */
export type CrashKind = 'killed' | 'unanswered';

/** One of the commands that a driver runs once the point is armed, counted from 1. */
export class CrashPoint {
  private readonly at: number;
  private readonly kind: CrashKind;
  private count: number | undefined;
  /** The command. */
  hit: string | undefined;

  constructor(at: number, kind: CrashKind) {
    this.at = at;
    this.kind = kind;
  }

  arm(): void {
    this.count = 0;
  }

  /** `fail` makes the result of a command that was killed. */
  async pass<T>(command: string, run: () => Promise<T>, fail: () => T): Promise<T> {
    if (this.hit !== undefined && this.kind === 'killed') throw new Error('the daemon was killed');
    if (this.count === undefined) return run();
    this.count += 1;
    if (this.count !== this.at) return run();
    this.hit = command;
    if (this.kind === 'killed') throw new Error('the daemon was killed');
    await run();
    return fail();
  }
}

/** Commands of this host. Nothing is resident: each command is a process of its own. */
export class CrashingProcesses extends ChildProcesses {
  private readonly point: CrashPoint;

  constructor(point: CrashPoint) {
    super();
    this.point = point;
  }

  override run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult> {
    const line = [command, ...args].join(' ');
    return this.point.pass(
      line,
      () => super.run(command, args, options),
      () => killed(line),
    );
  }

  override runOnFile(command: string, args: readonly string[], descriptor: number): Promise<void> {
    const line = [command, ...args].join(' ');
    return this.point.pass(
      line,
      () => super.runOnFile(command, args, descriptor),
      () => killed(line),
    );
  }

  override resident(): ReturnType<ChildProcesses['resident']> {
    return super.resident('true', [], {});
  }
}

/** Commands of a SAN. */
export class CrashingShell implements SanShell {
  private readonly shell: SanShell;
  private readonly point: CrashPoint;

  constructor(shell: SanShell, point: CrashPoint) {
    this.shell = shell;
    this.point = point;
  }

  get where(): string {
    return this.shell.where;
  }

  get failure(): SanShell['failure'] {
    return this.shell.failure;
  }

  get changes(): SanShell['changes'] {
    return this.shell.changes;
  }

  run(...args: Parameters<SanShell['run']>): Promise<SanAnswer> {
    const fail = () => ({ stdout: '', stderr: 'Killed', exitCode: 137 });
    return this.point.pass(args[0].join(' '), () => this.shell.run(...args), fail);
  }

  close(): Promise<void> {
    return this.shell.close();
  }
}

function killed(command: string): never {
  const failure = { exitCode: undefined, signal: 'SIGKILL', timedOut: false, cancelled: false, notFound: false };
  throw new CommandError({ command, stdout: '', stderr: '', ...failure });
}
