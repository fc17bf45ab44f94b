import { setTimeout as pause } from 'node:timers/promises';

const maxRetryPauseMs = 30_000;

/** Bounds the work of one kind that runs at a time. Work above the bound waits, first come first served, urgent work first. */
export class Semaphore {
  private readonly bound: number;
  private readonly waiting = new Set<() => void>();
  private readonly urgent = new Set<() => void>();
  private running = 0;

  constructor(bound: number) {
    this.bound = bound;
  }

  /** The number of calls of `run` whose work would begin at once. */
  get freeSlots(): number {
    return this.bound - this.running;
  }

  /** Whether nothing runs and nothing waits. */
  get isIdle(): boolean {
    return this.running === 0;
  }

  /** Returns what the work returns. Throws the signal's reason when it aborts before the work has begun. */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal, { isUrgent = false } = {}): Promise<T> {
    signal?.throwIfAborted();
    if (this.running < this.bound) this.running += 1;
    else await this.slot(isUrgent ? this.urgent : this.waiting, signal);
    try {
      return await work();
    } finally {
      this.release();
    }
  }

  /** Resolves when a slot has been handed over. */
  private slot(queue: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        queue.delete(begin);
        reject(signal?.reason);
      };
      const begin = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      signal?.addEventListener('abort', leave, { once: true });
      queue.add(begin);
    });
  }

  private release(): void {
    const queue = this.urgent.size > 0 ? this.urgent : this.waiting;
    const [next] = queue;
    if (next === undefined) {
      this.running -= 1;
      return;
    }
    queue.delete(next);
    next();
  }
}

/** Runs the work of one key one at a time, first come first served; the work of different keys runs concurrently. */
export class KeyedMutex {
  private readonly mutexes = new Map<string, Semaphore>();

  /** Returns what the work returns. Throws the signal's reason when it aborts before the work has begun. */
  async run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const mutex = this.mutexes.get(key) ?? new Semaphore(1);
    this.mutexes.set(key, mutex);
    try {
      return await mutex.run(work, signal);
    } finally {
      if (mutex.isIdle) this.mutexes.delete(key);
    }
  }
}

export interface RetryOptions {
  /** The maximum number of attempts. Infinity where `isRetryable` decides alone. */
  tries: number;
  signal?: AbortSignal | undefined;
  /** Whether a failure can end by itself. Default: every failure. `attempt` counts from 1. */
  isRetryable?: (error: unknown, attempt: number) => boolean;
  /** Called before the pause that precedes the next attempt. */
  onRetry?: (error: unknown, attempt: number) => void;
}

/**
 * Runs the work until it succeeds, at most `tries` times, with a pause of attempt² seconds (at most 30) between two attempts.
 * Throws the last failure, or the signal's reason when it aborts during a pause.
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { tries, signal, isRetryable, onRetry } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isFinal = attempt >= tries || signal?.aborted === true || isRetryable?.(error, attempt) === false;
      if (isFinal) throw error;
      onRetry?.(error, attempt);
    }
    await sleep(Math.min(attempt ** 2 * 1000, maxRetryPauseMs), signal);
  }
}

export interface PollOptions {
  /** How long to poll, in milliseconds. The condition is checked at least once. */
  deadlineMs: number;
  /** The first pause. Default 5. */
  intervalMs?: number;
  /** The longest pause; each is 1.4 times the one before. Default: `intervalMs`, or 50 where that has no value either. */
  maxIntervalMs?: number;
  signal?: AbortSignal | undefined;
}

/**
 * Checks the condition at once and then after every pause. Returns its value as soon as that is neither false, null nor
 * undefined; undefined when the deadline passes first. A slow condition is checked less often: at most half of the
 * time is spent in it. Throws what the condition throws, or the signal's reason.
 */
export async function pollUntil<T>(
  condition: () => T | Promise<T>,
  options: PollOptions,
): Promise<Exclude<T, false | null | undefined> | undefined> {
  const { deadlineMs, intervalMs = 5, signal } = options;
  const maxIntervalMs = options.maxIntervalMs ?? options.intervalMs ?? 50;
  const end = performance.now() + deadlineMs;
  for (let pauseMs = intervalMs; ; pauseMs = Math.min(pauseMs * 1.4, maxIntervalMs)) {
    signal?.throwIfAborted();
    const began = performance.now();
    const value = await condition();
    if (hasValue(value)) return value;
    const now = performance.now();
    if (now >= end) return undefined;
    await sleep(Math.max(pauseMs, now - began), signal);
  }
}

function hasValue<T>(value: T): value is Exclude<T, false | null | undefined> {
  return value !== false && value !== null && value !== undefined;
}

/** Returns what the promise becomes. Throws the signal's reason when it aborts before; what the promise stands for continues. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  const over = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over.signal });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    over.abort();
  }
}

/** Throws the signal's own reason, where Node's timers throw an AbortError with it as the cause. */
async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
