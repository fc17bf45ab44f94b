import { z } from 'zod';
import { pairsOf } from '../redis/pairs.ts';
import type { Store } from '../redis/store.ts';

/** A record as Redis gives it. */
export const hashSchema = z.record(z.string(), z.string()).readonly();
export type Hash = z.infer<typeof hashSchema>;

/**
 * What a class of records says about itself: its identifier's place in Redis, its indexes, and how a hash becomes a
 * state. A state is plain, complete data: defaults filled in, numbers as numbers.
 */
export interface ModelKind<State> {
  readonly name: string;
  recordKey(store: Store, id: string): string;
  /** Sorted set with the identifier of every record. */
  indexKey(store: Store): string;
  /** Sorted sets with the identifiers of the records that belong to one owner, by the owner's kind. */
  associationKey(store: Store, type: string, id: string): string;
  parse(id: string, hash: Hash): State;
  notFound(id: string): Error;
}

/** Records that one page of an index holds, and where the next page begins. */
export interface Page<State> {
  states: State[];
  next: string | undefined;
}

const pageSize = 100;

/** One record of a model: its state as it was last read or written, and what may be done to it. */
export abstract class BasicModel<State extends { id: string }> {
  protected readonly store: Store;
  protected current: State;
  private fresh: boolean;

  protected constructor(store: Store, state: State, isNewRecord: boolean) {
    this.store = store;
    this.current = state;
    this.fresh = isNewRecord;
  }

  get identifier(): string {
    return this.current.id;
  }

  /** The state as last read or written by this object; Redis may know better. */
  get state(): Readonly<State> {
    return this.current;
  }

  /** Whether it was never saved. */
  get isNewRecord(): boolean {
    return this.fresh;
  }

  /** Writes the record and its index entries, all or nothing. */
  abstract save(): Promise<void>;
  /** Removes the record and its index entries, all or nothing. Absent is success. */
  abstract destroy(): Promise<void>;

  protected saved(state: State): void {
    this.current = state;
    this.fresh = false;
  }
}

/** Reads of one kind of records. */
export class Records<State extends { id: string }> {
  private readonly store: Store;
  private readonly kind: ModelKind<State>;

  constructor(store: Store, kind: ModelKind<State>) {
    this.store = store;
    this.kind = kind;
  }

  /** Throws the kind's "does not exist". */
  async lookup(id: string): Promise<State> {
    const state = await this.find(id);
    if (!state) throw this.kind.notFound(id);
    return state;
  }

  /** Undefined when it does not exist. */
  async find(id: string): Promise<State | undefined> {
    const hash = await this.store.read((redis) => redis.hgetall(this.kind.recordKey(this.store, id)));
    return isHash(hash) ? this.kind.parse(id, hash) : undefined;
  }

  /** Every record in order of creation, read page by page: never all at once. */
  all(): AsyncGenerator<State> {
    return this.walk(this.kind.indexKey(this.store));
  }

  associatedTo(type: string, id: string): AsyncGenerator<State> {
    return this.walk(this.kind.associationKey(this.store, type, id));
  }

  /** `limit` records after `marker` (the `next` of an earlier page), of all or of one owner. */
  page(options: { limit: number; marker?: string; of?: { type: string; id: string } }): Promise<Page<State>> {
    const { of } = options;
    const index = of ? this.kind.associationKey(this.store, of.type, of.id) : this.kind.indexKey(this.store);
    return this.readPage(index, options.limit, options.marker);
  }

  count(of?: { type: string; id: string }): Promise<number> {
    const index = of ? this.kind.associationKey(this.store, of.type, of.id) : this.kind.indexKey(this.store);
    return this.store.read((redis) => redis.zcard(index));
  }

  private async *walk(index: string): AsyncGenerator<State> {
    let marker: string | undefined;
    do {
      const page = await this.readPage(index, pageSize, marker);
      yield* page.states;
      marker = page.next;
    } while (marker !== undefined);
  }

  /** A marker is "score id": what comes and goes between two pages moves nothing else to another page. */
  private async readPage(index: string, limit: number, marker?: string): Promise<Page<State>> {
    const [score = '-inf', last = ''] = marker?.split(' ') ?? [];
    const states: State[] = [];
    let next: string | undefined;
    let offset = 0;
    for (;;) {
      const wanted = limit - states.length;
      const flat = await this.store.read((redis) =>
        redis.zrange(index, score, '+inf', 'BYSCORE', 'LIMIT', offset, wanted + 1, 'WITHSCORES'),
      );
      const entries = pairsOf(flat).filter(([id, at]) => at !== score || id > last);
      const taken = entries.slice(0, wanted);
      states.push(...(await this.readAll(taken.map(([id]) => id))));
      const end = taken.at(-1);
      if (end) next = `${end[1]} ${end[0]}`;
      if (flat.length / 2 <= wanted) return { states, next: entries.length > wanted ? next : undefined };
      if (entries.length > wanted) return { states, next };
      offset += flat.length / 2;
    }
  }

  private async readAll(ids: readonly string[]): Promise<State[]> {
    if (ids.length === 0) return [];
    const answers = await this.store.read(async (redis) => {
      const pipeline = redis.pipeline();
      for (const id of ids) pipeline.hgetall(this.kind.recordKey(this.store, id));
      return (await pipeline.exec()) ?? [];
    });
    return ids.flatMap((id, index) => {
      const [error, hash] = answers[index] ?? [];
      if (error) throw this.store.connection.explain(error);
      // A record that went between index and read is simply no longer there.
      return isHash(hash) ? [this.kind.parse(id, hash)] : [];
    });
  }
}

function isHash(value: unknown): value is Hash {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
