export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'human' | 'json' | 'journald';
export type LogFields = Record<string, unknown>;

/** The log interface of the project. Fields are plain data; secrets given to createLog are masked. */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** Why lines cannot be written at present. */
  readonly problem?: string | undefined;
}

export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {} };
