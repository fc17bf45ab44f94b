import { removeExpired } from '../../../lib/client/identity/remove-expired.ts';
import { asError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Service } from '../../../lib/service.ts';

const everyMs = 30_000;

/** Removes tokens that have expired, and failures to sign in that are forgotten, as long as the API is served. */
export class ExpiredRecords implements Service {
  readonly name = 'expired-records';
  private readonly store: Store;
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;
  private current: Promise<void> = Promise.resolve();

  constructor(store: Store, log: Log) {
    this.store = store;
    this.log = log;
  }

  async start(): Promise<void> {
    this.schedule();
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.current;
  }

  /** One run has ended before the next begins. */
  private schedule(): void {
    this.timer = setTimeout(() => {
      this.current = this.remove().finally(() => {
        if (this.timer) this.schedule();
      });
    }, everyMs).unref();
  }

  private async remove(): Promise<void> {
    if (this.store.connection.isAway) return;
    try {
      const count = await removeExpired(this.store);
      if (count > 0) this.log.debug(`${count} expired tokens and failures to sign in were removed`);
    } catch (error) {
      this.log.debug(`expired tokens were not removed: ${asError(error).message}`);
    }
  }
}
