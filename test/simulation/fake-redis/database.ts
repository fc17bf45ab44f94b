import { SortedSet } from './sorted-set.ts';
import { Stream } from './stream.ts';

export class Hash extends Map<string, string> {
  copy(): Hash {
    return new Hash(this);
  }
}

type Value = string | Hash | SortedSet | Stream;

/** What a database had at some moment. */
export interface Copy {
  readonly values: Map<string, Value>;
  ends: ReadonlyMap<string, number>;
}

/** Keys and values, and when keys end. */
export class Database {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  private values = new Map<string, Value>();
  private ends = new Map<string, number>();
  /** Keys that were written since somebody last emptied it. */
  readonly touched = new Set<string>();

  constructor(now: () => number) {
    this.now = now;
  }

  get(key: string): Value | undefined {
    const end = this.ends.get(key);
    if (end !== undefined && end <= this.now()) this.delete(key);
    return this.values.get(key);
  }

  set(key: string, value: Value): void {
    this.values.set(key, value);
    this.touched.add(key);
  }

  delete(key: string): boolean {
    this.ends.delete(key);
    this.touched.add(key);
    return this.values.delete(key);
  }

  clear(): void {
    for (const key of this.values.keys()) this.touched.add(key);
    this.values.clear();
    this.ends.clear();
  }

  copy(): Copy {
    const values = new Map([...this.values].map(([key, value]) => [key, copyOf(value)]));
    return { values, ends: new Map(this.ends) };
  }

  /** Brings up to date a copy from which no other values than those of these keys differ. */
  update(copy: Copy, keys: Iterable<string>): void {
    for (const key of keys) {
      const value = this.values.get(key);
      if (value === undefined) copy.values.delete(key);
      else copy.values.set(key, copyOf(value));
    }
    copy.ends = new Map(this.ends);
  }

  /** It goes back in time; nobody has written anything. A copy serves once. */
  goBackTo({ values, ends }: Copy): void {
    this.values = new Map(values);
    this.ends = new Map(ends);
  }

  endAt(key: string, time: number | undefined): void {
    if (time === undefined) this.ends.delete(key);
    else this.ends.set(key, time);
  }

  end(key: string): number | undefined {
    return this.ends.get(key);
  }

  get keys(): string[] {
    return [...this.values.keys()].filter((key) => this.get(key) !== undefined);
  }

  hash(key: string): Hash | undefined {
    return this.typed(key, Hash);
  }

  sortedSet(key: string): SortedSet | undefined {
    return this.typed(key, SortedSet);
  }

  stream(key: string): Stream | undefined {
    return this.typed(key, Stream);
  }

  /** The value to be written to; made where there is none. */
  writable<T extends Value & object>(key: string, kind: new () => T): T {
    const found = this.typed(key, kind);
    this.touched.add(key);
    if (found) return found;
    const made = new kind();
    this.values.set(key, made);
    return made;
  }

  /** Empty hashes and sorted sets are no keys. */
  dropEmpty(key: string): void {
    const value = this.values.get(key);
    if ((value instanceof Hash || value instanceof SortedSet) && value.size === 0) this.delete(key);
  }

  private typed<T extends Value & object>(key: string, kind: new () => T): T | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (!(value instanceof kind)) throw new Error('WRONGTYPE Operation against a key holding the wrong kind of value');
    return value;
  }
}

function copyOf(value: Value): Value {
  return typeof value === 'string' ? value : value.copy();
}
