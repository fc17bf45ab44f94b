import type { Redis } from '../redis/connection.ts';
import type { Store } from '../redis/store.ts';
import { type Hash, UnreadableError, hashSchema } from './hash.ts';
import { codeOf } from '../redis/failures.ts';
import { pairsOf } from '../redis/pairs.ts';

/** How a kind of record is read. A state is plain, complete data: defaults filled in, numbers as numbers. */
export interface RecordReader<State> {
  recordKey(store: Store, id: string): string;
  /** Throws UnreadableError. */
  parse(id: string, hash: Hash): State;
  notFound(id: string): Error;
  unreadable(id: string, reason: string): Error;
}

/** A record that this version cannot read. */
export interface Unreadable {
  id: string;
  reason: string;
  /** Its fields as they are. */
  hash: Hash;
}

/** Records of one page of an index, and where the next page begins. */
export interface Page<State> {
  states: State[];
  unreadable: Unreadable[];
  next: string | undefined;
}

/** Records that one iteration reads at once: about two milliseconds of Redis, in commands of a few microseconds each. */
const pageSize = 500;

/** Reads of one kind of records. */
export class Records<State extends { id: string }> {
  private readonly store: Store;
  private readonly reader: RecordReader<State>;

  constructor(store: Store, reader: RecordReader<State>) {
    this.store = store;
    this.reader = reader;
  }

  /** Throws the kind's "does not exist", or its "cannot be read". */
  async lookup(id: string): Promise<State> {
    const state = await this.find(id);
    if (!state) throw this.reader.notFound(id);
    return state;
  }

  /** Undefined when it does not exist. Throws the kind's "cannot be read". */
  async find(id: string): Promise<State | undefined> {
    return (await this.findAll([id]))[0];
  }

  /** Without those that do not exist. Throws the kind's "cannot be read", so that nobody takes such a record for one that does not exist. */
  async findAll(ids: readonly string[]): Promise<State[]> {
    const { states, unreadable } = await this.readAll(ids);
    const [record] = unreadable;
    if (record) throw this.reader.unreadable(record.id, record.reason);
    return states;
  }

  /** Every record of an index in its order, read page by page; those that cannot be read go to `onUnreadable`. */
  async *iterate(index: string, onUnreadable: (record: Unreadable) => void = () => {}): AsyncGenerator<State> {
    let marker: string | undefined;
    do {
      const page = await this.page(index, { limit: pageSize, ...(marker === undefined ? {} : { marker }) });
      for (const record of page.unreadable) onUnreadable(record);
      yield* page.states;
      marker = page.next;
    } while (marker !== undefined);
  }

  /**
   * Returns `limit` records of an index after `marker`, the `next` of an earlier page in the same order. A marker is "score id": a record
   * that comes or goes between two pages moves no other record to another page.
   */
  async page(
    index: string,
    { limit, marker, order = 'ascending' }: { limit: number; marker?: string; order?: 'ascending' | 'descending' },
  ): Promise<Page<State>> {
    const isDescending = order === 'descending';
    const [, score = isDescending ? '+inf' : '-inf', last = isDescending ? '\u{FFFF}' : ''] =
      /^(\S+) (.*)$/s.exec(marker ?? '') ?? [];
    const isAfter = (id: string) => (isDescending ? id < last : id > last);
    const page: Page<State> = { states: [], unreadable: [], next: undefined };
    let count = 0;
    let offset = 0;
    for (;;) {
      const missing = limit - count;
      const flat = await this.store.read((redis) =>
        isDescending
          ? redis.zrange(index, score, '-inf', 'BYSCORE', 'REV', 'LIMIT', offset, missing + 1, 'WITHSCORES')
          : redis.zrange(index, score, '+inf', 'BYSCORE', 'LIMIT', offset, missing + 1, 'WITHSCORES'),
      );
      const entries = pairsOf(flat).filter(([id, at]) => at !== score || isAfter(id));
      const taken = entries.slice(0, missing);
      await this.readInto(
        page,
        taken.map(([id]) => id),
      );
      count = page.states.length + page.unreadable.length;
      const end = taken.at(-1);
      if (end) page.next = `${end[1]} ${end[0]}`;
      if (flat.length / 2 <= missing) {
        if (entries.length <= missing) page.next = undefined;
        return page;
      }
      if (entries.length > missing) return page;
      offset += flat.length / 2;
    }
  }

  /** Returns the records of these ids in one round trip; those that do not exist are left out. */
  async readAll(ids: readonly string[]): Promise<Page<State>> {
    const page: Page<State> = { states: [], unreadable: [], next: undefined };
    await this.readInto(page, ids);
    return page;
  }

  count(index: string): Promise<number> {
    return this.store.read((redis) => redis.zcard(index));
  }

  private async readInto(page: Page<State>, ids: readonly string[]): Promise<void> {
    const answers = await this.store.read((redis) => this.hashes(redis, ids));
    ids.forEach((id, index) => {
      const [error, hash] = answers[index] ?? [];
      if (error && codeOf(error) !== 'WRONGTYPE') throw this.store.connection.explain(error, this.store.redis);
      const record = this.parsed(id, hash);
      if (record && 'reason' in record) page.unreadable.push(record);
      else if (record) page.states.push(record.state);
    });
  }

  /** A pipeline takes longer than a single command. */
  private async hashes(redis: Redis, ids: readonly string[]): Promise<[error: Error | null, hash: unknown][]> {
    const [first, ...more] = ids.map((id) => this.reader.recordKey(this.store, id));
    if (first === undefined) return [];
    if (more.length === 0) {
      try {
        return [[null, await redis.hgetall(first)]];
      } catch (error) {
        if (error instanceof Error) return [[error, undefined]];
        throw error;
      }
    }
    const pipeline = redis.pipeline();
    for (const key of [first, ...more]) pipeline.hgetall(key);
    return (await pipeline.exec()) ?? [];
  }

  /** Undefined for a record that went between index and read. */
  private parsed(id: string, value: unknown): { state: State } | Unreadable | undefined {
    const hash = hashSchema.safeParse(value);
    if (!hash.success) return { id, reason: 'is no hash', hash: {} };
    if (Object.keys(hash.data).length === 0) return undefined;
    try {
      return { state: this.reader.parse(id, hash.data) };
    } catch (error) {
      if (error instanceof UnreadableError) return { id, reason: error.message, hash: hash.data };
      throw error;
    }
  }
}
