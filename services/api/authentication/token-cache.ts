import { createHash } from 'node:crypto';

export interface CacheOptions {
  /** For what was found, and for what was not. */
  maxAgeMs: number;
  maxAbsentAgeMs: number;
  maxTokens: number;
  /** In milliseconds, of a clock that only advances. */
  now?: () => number;
}

/** What is kept of a token: undefined = it is not valid. */
interface Kept<T> {
  value: T | undefined;
  until: number;
}

/**
 * What tokens stand for, for a bounded time and number. Invalid ones are kept apart: guesses do not displace the others. A token is kept
 * by its hash alone.
 */
export class TokenCache<T> {
  private readonly options: Required<CacheOptions>;
  private readonly valid = new Map<string, Kept<T>>();
  private readonly invalid = new Map<string, Kept<T>>();
  /** Tokens that are being looked up, for whoever asks meanwhile. */
  private readonly pending = new Map<string, Promise<T | undefined>>();

  constructor(options: CacheOptions) {
    this.options = { now: () => performance.now(), ...options };
  }

  /** Returns what a token stands for, undefined where it is not valid. Throws what `find` throws, and keeps nothing of it. */
  async get(token: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const key = createHash('sha256').update(token).digest('base64');
    const kept = this.valid.get(key) ?? this.invalid.get(key);
    if (kept && this.options.now() < kept.until) return kept.value;
    const running = this.pending.get(key) ?? this.lookUp(key, find);
    return running;
  }

  get size(): number {
    return this.valid.size + this.invalid.size;
  }

  private lookUp(key: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const running = this.found(key, find).finally(() => this.pending.delete(key));
    this.pending.set(key, running);
    return running;
  }

  private async found(key: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const { maxAgeMs, maxAbsentAgeMs, now } = this.options;
    // What was valid when it was asked for can be revoked since.
    const asked = now();
    const value = await find();
    this.valid.delete(key);
    this.invalid.delete(key);
    if (value === undefined) this.keep(this.invalid, key, { value, until: asked + maxAbsentAgeMs });
    else this.keep(this.valid, key, { value, until: asked + maxAgeMs });
    return value;
  }

  private keep(map: Map<string, Kept<T>>, key: string, kept: Kept<T>): void {
    map.set(key, kept);
    const [oldest] = map.keys();
    if (map.size > this.options.maxTokens && oldest !== undefined) map.delete(oldest);
  }
}
