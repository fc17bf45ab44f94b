import { AsyncLocalStorage } from 'node:async_hooks';

const current = new AsyncLocalStorage<VirtualProcess>();

/**
 * Code that lives and dies together: everything it has started, through whatever promises, timers and sockets, is its own. Once
 * dead, nothing of it runs again; while paused, what would wake it waits.
 */
export class VirtualProcess {
  readonly name: string;
  /** When it died, by `performance.now()`. */
  diedAt: number | undefined;
  private paused = false;
  private waiting: (() => void)[] = [];
  private readonly mourners: ((unnoticedMs: number) => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  static get current(): VirtualProcess | undefined {
    return current.getStore();
  }

  get dead(): boolean {
    return this.diedAt !== undefined;
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /** Runs its code: now, when it goes on, or never. */
  run(work: () => void): void {
    if (this.dead) return;
    if (this.paused) this.waiting.push(work);
    else current.run(this, work);
  }

  /** `tell` is given how long nobody else notices. */
  onDeath(tell: (unnoticedMs: number) => void): void {
    this.mourners.push(tell);
  }

  die(unnoticedMs = 0): void {
    if (this.dead) return;
    this.diedAt = performance.now();
    this.waiting = [];
    for (const tell of this.mourners) tell(unnoticedMs);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    const { waiting } = this;
    this.waiting = [];
    for (const work of waiting) this.run(work);
  }
}

/** Later, as nobody's code: whatever happens to the process that asked for it. */
export function outside(work: () => void, ms: number): void {
  current.exit(() => setTimeout(work, ms));
}
