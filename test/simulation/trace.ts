import { createHash } from 'node:crypto';
import type { Log } from '../../lib/log.ts';

const kept = 400;

/** All that happened, as lines with their times: a fingerprint of the whole, and the last of them. */
export class Trace {
  readonly counts = new Map<string, number>();
  private readonly hash = createHash('sha256');
  private readonly now: () => number;
  private lines: string[] = [];

  constructor(now: () => number) {
    this.now = now;
  }

  add(who: string, what: string): void {
    const line = `${timeOf(this.now())} ${who.padEnd(8)} ${what}`;
    this.hash.update(line);
    this.lines.push(line);
    if (this.lines.length > 2 * kept) this.lines = this.lines.slice(-kept);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** A log that writes here. */
  log(who: string): Log {
    const write = (message: string) => this.add(who, message);
    return { error: write, warn: write, info: write, debug() {} };
  }

  /** The last lines; of those that name something, where it is given. */
  last(naming?: string): string[] {
    const found = naming === undefined ? this.lines : this.lines.filter((line) => line.includes(naming));
    return found.slice(-kept / 8);
  }

  /** The same for two runs in which the same happened. */
  fingerprint(): string {
    return this.hash.copy().digest('hex').slice(0, 16);
  }
}

function timeOf(ms: number): string {
  const seconds = (ms % 3_600_000) / 1000;
  const hours = String(Math.floor(ms / 3_600_000)).padStart(2, '0');
  const minutes = String(Math.floor(seconds / 60)).padStart(2, '0');
  return `${hours}:${minutes}:${(seconds % 60).toFixed(3).padStart(6, '0')}`;
}
