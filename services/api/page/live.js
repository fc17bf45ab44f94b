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
    /** What the page has not been able to follow yet. @type {import('./documents.js').ClusterEvent[]} */
    this.since = [];
    this.updatedAt = -Infinity;
    this.isReading = false;
    this.isRunning = false;
    this.isAsked = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    document.addEventListener('visibilitychange', () => this.poke());
  }

  start() {
    this.isRunning = true;
    this.last = '';
    this.since = [];
    this.poke();
  }

  stop() {
    this.isRunning = false;
    clearTimeout(this.timer);
  }

  /** Reads everything now, or once what is being read has come. */
  poke() {
    this.isAsked = true;
    clearTimeout(this.timer);
    if (this.isRunning && !this.isReading && document.visibilityState === 'visible') void this.turn();
  }

  async turn() {
    const { isAsked } = this;
    this.isAsked = false;
    this.isReading = true;
    try {
      const after = this.last === '' ? 'limit=1' : `after=${this.last}&limit=100`;
      const { events, last } = await get(`/blockstore/events?${after}`);
      if (this.last !== '') this.since.push(...events);
      this.last = last;
      if (isAsked || this.since.length > 0 || performance.now() - this.updatedAt > refreshMs) {
        await this.update(this.since);
        this.since = [];
        this.updatedAt = performance.now();
      }
      this.onSuccess();
    } catch (error) {
      this.updatedAt = -Infinity;
      this.onError(error);
    } finally {
      this.isReading = false;
    }
    clearTimeout(this.timer);
    if (!this.isRunning || document.visibilityState !== 'visible') return;
    this.timer = setTimeout(() => void this.turn(), this.isAsked ? 0 : pollMs);
  }
}
