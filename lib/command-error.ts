import { BlockstoreError, isOutOfDescriptors, raiseOpenFiles } from './blockstore-error.ts';

const raiseProcesses = 'raise the limit of processes: TasksMax of the unit, "ulimit -u" of a shell';

/** How a child process failed. `stderr` is complete; the error message has its last line. */
export interface CommandFailure {
  command: string;
  exitCode: number | undefined;
  signal: string | undefined;
  timedOut: boolean;
  cancelled: boolean;
  notFound: boolean;
  stdout: string;
  stderr: string;
}

export class CommandError extends BlockstoreError {
  readonly failure: CommandFailure;

  constructor(failure: CommandFailure) {
    super(
      failure.notFound ? 'CommandNotFound' : 'CommandFailed',
      'failed',
      commandMessage(failure),
      commandHint(failure),
    );
    this.failure = failure;
  }

  /** Whether another attempt could end otherwise. */
  get isRetryable(): boolean {
    return !this.failure.notFound && !this.failure.cancelled;
  }
}

/** What a command that needs root ends with on a host without sudo. */
export const noSudo = 'sudo: it is not installed';

function commandMessage(failure: CommandFailure): string {
  const { command, exitCode, signal, timedOut, cancelled, notFound, stderr } = failure;
  if (notFound) return `the command ${command.split(' ')[0]} is not installed`;
  const end = timedOut
    ? 'exceeded its time limit'
    : cancelled
      ? 'was cancelled'
      : signal === undefined
        ? exitCode === undefined
          ? 'could not be executed'
          : `failed with exit code ${exitCode}`
        : `was killed by ${signal}`;
  const reason = stderr.trim().split('\n').at(-1)?.trim();
  return `"${command}" ${end}${reason ? `: ${reason}` : ''}`;
}

function commandHint({ notFound, exitCode, stderr }: CommandFailure): string {
  if (notFound) return 'run "blockstore doctor" to list the missing packages';
  if (stderr === noSudo) return 'run this as root, or install sudo and allow it the command';
  // It was not started.
  if (exitCode === undefined && isOutOfDescriptors(stderr)) return raiseOpenFiles;
  if (exitCode === undefined && /\bEAGAIN$/.test(stderr)) return raiseProcesses;
  return 'run "blockstore doctor" on the node';
}
