import { get } from './api.js';

const pollMs = 1000;
/** What comes with no event, such as progress and free space, is read again after this time. */
const refreshMs = 5000;

/**
 * Asks for events, a few at a time, while the page is visible, and has the page read again what it shows.
 */
export class Live {
  /**
   * @param {object} options
   * @param {(events: import('./documents.js').ClusterEvent[]) => Promise<void>} options.update Throws ApiError.
   * @param {(error: unknown) => void} options.onError
   * @param {() => void} options.onSuccess
   */
  constructor({ update, onError, onSuccess }) {
    this.update = update;
    this.onError = onError;
    this.onSuccess = onSuccess;
    this.last = '';
    this.updatedAt = 0;
    this.isRunning = false;
    this.isAsked = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    document.addEventListener('visibilitychange', () => this.poke());
  }

  start() {
    this.isRunning = true;
    this.poke();
  }

  stop() {
    this.isRunning = false;
    clearTimeout(this.timer);
  }

  /** Reads everything now. */
  poke() {
    this.updatedAt = 0;
    this.isAsked = true;
    clearTimeout(this.timer);
    if (this.isRunning && document.visibilityState === 'visible') this.timer = setTimeout(() => void this.turn(), 0);
  }

  async turn() {
    this.isAsked = false;
    try {
      const after = this.last === '' ? 'limit=1' : `after=${this.last}&limit=100`;
      const { events, last } = await get(`/blockstore/events?${after}`);
      const isFirst = this.last === '';
      this.last = last;
      const age = performance.now() - this.updatedAt;
      if (events.length > 0 || this.updatedAt === 0 || age > refreshMs) {
        await this.update(isFirst ? [] : events);
        this.updatedAt = performance.now();
      }
      this.onSuccess();
    } catch (error) {
      this.updatedAt = 0;
      this.onError(error);
    }
    clearTimeout(this.timer);
    if (!this.isRunning || document.visibilityState !== 'visible') return;
    this.timer = setTimeout(() => void this.turn(), this.isAsked ? 0 : pollMs);
  }
}
