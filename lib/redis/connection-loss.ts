import type { Redis } from 'ioredis';
import { isReadOnly, saysOnlyClosed } from './failures.ts';

/** Why a connection ended, and why it does not come back: forgotten as soon as it is ready again. */
export class ConnectionLoss {
  private lastError: Error | undefined;
  /** Redis is a replica: for that answer the library ends a connection, without an error of its own. */
  private readOnly: Error | undefined;

  constructor(redis: Redis) {
    redis.on('error', (error: Error) => {
      // Why it ended says more than that it has.
      if (this.lastError === undefined || !saysOnlyClosed(error)) this.lastError = error;
    });
    redis.on('ready', () => {
      this.lastError = undefined;
      this.readOnly = undefined;
    });
  }

  /** Of what a command of the connection was answered. */
  noteAnswer(error: Error): void {
    if (isReadOnly(error)) this.readOnly = error;
  }

  get error(): Error | undefined {
    return this.lastError ?? this.readOnly;
  }
}
