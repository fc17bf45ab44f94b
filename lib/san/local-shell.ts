import { CommandError } from '../command-error.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { Changes } from './changes.ts';
import type { Dialect } from './ssh-shell.ts';
import { type SanAnswer, type SanRunOptions, type SanShell, defaultSanTimeoutMs } from './shell.ts';

/** Of the one storage that this host is. */
const changes = new Changes();

/** Runs the commands of the storage on this host (san_is_local). */
export class LocalShell implements SanShell {
  readonly where = 'this host';
  readonly failure = undefined;
  readonly changes = changes;
  private readonly processes: Processes;
  private readonly dialect: Pick<Dialect, 'shown'>;

  constructor(processes: Processes, dialect: Pick<Dialect, 'shown'>) {
    this.processes = processes;
    this.dialect = dialect;
  }

  /** Throws CommandNotFound, SanInterrupted, or the signal's reason. */
  async run(
    words: readonly string[],
    { timeoutMs = defaultSanTimeoutMs, signal, input }: SanRunOptions = {},
  ): Promise<SanAnswer> {
    const [command = '', ...args] = words;
    const shown = this.dialect.shown(words);
    try {
      const given = { ...(signal ? { signal } : {}), ...(input === undefined ? {} : { input }) };
      const answer = await this.processes.run(command, args, { timeoutMs, ...given });
      // execa removes the last line end.
      return { ...answer, stdout: answer.stdout === '' ? '' : `${answer.stdout}\n`, exitCode: 0 };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      signal?.throwIfAborted();
      const { exitCode, stdout, stderr, timedOut, notFound } = error.failure;
      if (notFound) throw error;
      if (timedOut) throw errors.sanTimeout(this.where, shown, timeoutMs / 1000, stderr.slice(-200));
      if (exitCode === undefined) throw errors.sanCut(this.where, shown, stderr.slice(-200) || 'it was killed');
      return { stdout, stderr, exitCode };
    }
  }

  async close(): Promise<void> {}
}
