import type { BlockstoreError } from '../errors.ts';
import type { Changes } from './changes.ts';
import type { SanAnswer, SanRunOptions, SanShell } from './shell.ts';
import type { SshConnection } from './ssh-connection.ts';

/** How a kind of storage takes a command. */
export interface Dialect {
  /** Returns the line that the storage takes for these words. Throws InvalidArgument. */
  line(words: readonly string[]): string;
  /** Returns the command as messages have it, without secrets. */
  shown(words: readonly string[]): string;
}

export class SshShell implements SanShell {
  private readonly connection: SshConnection;
  private readonly dialect: Dialect;

  constructor(connection: SshConnection, dialect: Dialect) {
    this.connection = connection;
    this.dialect = dialect;
  }

  get where(): string {
    return this.connection.where;
  }

  get failure(): BlockstoreError | undefined {
    return this.connection.failure;
  }

  get changes(): Changes {
    return this.connection.changes;
  }

  run(words: readonly string[], options: SanRunOptions = {}): Promise<SanAnswer> {
    return this.connection.run(this, this.dialect.line(words), this.dialect.shown(words), options);
  }

  close(): Promise<void> {
    return this.connection.leave(this);
  }
}
