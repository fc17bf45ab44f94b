import { z } from 'zod';
import { errors } from '../../lib/errors.ts';
import type { Records } from '../../lib/models/records.ts';
import type { Context } from './call.ts';

/** Records that one request examines at most: 10,000 are about 40 ms of Redis, in portions of 2 ms. */
const maxExamined = 10_000;
const pageSize = 500;

export const wholeNumber = z
  .string()
  .regex(/^\d+$/, { error: 'must be a whole number', abort: true })
  .max(9, 'must be at most 999999999')
  .transform(Number);
/** As the clients write it; an empty value is the same as none. */
export const trueOrFalse = z
  .enum(['true', 'True', 'TRUE', '1', 'yes', 'false', 'False', 'FALSE', '0', 'no', ''], 'must be true or false')
  .transform((text) => ['true', '1', 'yes'].includes(text.toLowerCase()));

/** What every list can be asked for. */
export const listQuery = {
  limit: wholeNumber.optional(),
  offset: wholeNumber.optional(),
  marker: z.string().max(255).optional(),
  sort: z.string().max(255).optional(),
  sort_key: z.string().max(255).optional(),
  sort_dir: z.enum(['asc', 'desc']).optional(),
  all_tenants: trueOrFalse.optional(),
  with_count: trueOrFalse.optional(),
};
export type ListQuery = z.output<ReturnType<typeof z.object<typeof listQuery>>>;

export interface Listed<State> {
  states: readonly State[];
  /** The address of the next page; undefined where there is none. */
  next: string | undefined;
  /** Of all that match, where it was asked for. */
  count: number | undefined;
}

export interface ListOptions<State extends { id: string; createTime: number }> {
  records: Records<State>;
  /** Sorted set by creation time. */
  index: string;
  query: ListQuery;
  /** Undefined: all of the index. */
  matches?: ((state: State) => boolean) | undefined;
  /** What it can be sorted by beside its creation time. */
  sortedBy?: Readonly<Record<string, (state: State) => string | number>>;
}

/**
 * Returns the page of an index that a request asks for. By creation time it reads the page alone; filters and other orders read records
 * up to a bound. Throws InvalidRequest, MarkerNotFound, ListTooLong.
 */
export async function listPage<State extends { id: string; createTime: number }>(
  context: Pick<Context, 'flags' | 'base' | 'path' | 'search'>,
  options: ListOptions<State>,
): Promise<Listed<State>> {
  const { query, records, index, matches } = options;
  const limit = limitOf(query, context.flags.api_max_limit);
  const { key, isDescending } = orderOf(query);
  const count = query.with_count ? await countOf(options) : undefined;
  if (limit === 0) return { states: [], next: undefined, count };
  if (key !== 'created_at') {
    const { states, hasMore } = sortedPage(await everyMatch(options, `sorting by ${key}`), {
      ...options,
      key,
      limit,
      isDescending,
    });
    return { states, next: nextOf(context, states, hasMore), count };
  }
  const found: State[] = [];
  let examined = 0;
  let skip = query.offset ?? 0;
  let marker = query.marker === undefined ? undefined : await startAfter(records, query.marker);
  for (;;) {
    const missing = limit + 1 - found.length + skip;
    const size = matches ? pageSize : Math.min(missing, pageSize);
    const page = await records.page(index, {
      limit: size,
      order: isDescending ? 'descending' : 'ascending',
      ...(marker === undefined ? {} : { marker }),
    });
    examined += size;
    for (const state of page.states) {
      if (matches && !matches(state)) continue;
      if (skip > 0) skip -= 1;
      else found.push(state);
    }
    marker = page.next;
    if (found.length > limit || marker === undefined) break;
    if (examined >= maxExamined) throw errors.listTooLong('this filter', maxExamined);
  }
  const states = found.slice(0, limit);
  return { states, next: nextOf(context, states, found.length > limit), count };
}

/** The same of records that are read already. Throws InvalidRequest, MarkerNotFound. */
export function arrayPage<State extends { id: string; createTime: number }>(
  context: Pick<Context, 'flags' | 'base' | 'path' | 'search'>,
  all: readonly State[],
  { query, matches = () => true, sortedBy = {} }: Pick<ListOptions<State>, 'query' | 'matches' | 'sortedBy'>,
): Listed<State> {
  const limit = limitOf(query, context.flags.api_max_limit);
  const found = all.filter(matches);
  const count = query.with_count ? found.length : undefined;
  if (limit === 0) return { states: [], next: undefined, count };
  const { key, isDescending } = orderOf(query);
  const byTime = { created_at: ({ createTime }: State) => createTime };
  const options = { query, key, limit, isDescending, sortedBy: { ...byTime, ...sortedBy } };
  const { states, hasMore } = sortedPage(found, options);
  return { states, next: nextOf(context, states, hasMore), count };
}

function limitOf({ limit }: ListQuery, most: number): number {
  return Math.min(limit ?? most, most);
}

/** Clients of the command line ask by the names of the second version of the API. */
const formerNames: ReadonlyMap<string, string> = new Map([['display_name', 'name']]);

/** Throws InvalidRequest. */
function orderOf({ sort, sort_key: sortKey, sort_dir: direction }: ListQuery): { key: string; isDescending: boolean } {
  if (sort !== undefined && (sortKey !== undefined || direction !== undefined)) {
    throw errors.invalidRequest(['sort: must not be given together with sort_key and sort_dir']);
  }
  const [first = ''] = (sort ?? '').split(',');
  const [key = '', order = direction ?? 'desc'] = sort === undefined ? [sortKey ?? 'created_at'] : first.split(':');
  if (order !== 'asc' && order !== 'desc') throw errors.invalidRequest([`sort: ${order} is neither asc nor desc`]);
  return { key: formerNames.get(key.trim()) ?? (key.trim() || 'created_at'), isDescending: order === 'desc' };
}

/** Returns where a page begins that follows a record. Throws MarkerNotFound. */
async function startAfter<State extends { id: string; createTime: number }>(
  records: Records<State>,
  id: string,
): Promise<string> {
  const [state] = (await records.readAll([id])).states;
  if (!state) throw errors.markerNotFound(id);
  return `${state.createTime} ${id}`;
}

/** Every record of an index that has so many at most as one request examines. Throws ListTooLong. */
export async function* boundedRecords<State extends { id: string }>(
  records: Records<State>,
  index: string,
  reason: string,
): AsyncGenerator<State> {
  if ((await records.count(index)) > maxExamined) throw errors.listTooLong(reason, maxExamined);
  yield* records.iterate(index);
}

/** Throws ListTooLong. */
async function everyMatch<State extends { id: string; createTime: number }>(
  { records, index, matches = () => true }: ListOptions<State>,
  reason: string,
): Promise<State[]> {
  const found: State[] = [];
  for await (const state of boundedRecords(records, index, reason)) if (matches(state)) found.push(state);
  return found;
}

async function countOf<State extends { id: string; createTime: number }>(options: ListOptions<State>): Promise<number> {
  if (!options.matches) return options.records.count(options.index);
  return (await everyMatch(options, 'counting')).length;
}

/** Throws InvalidRequest, MarkerNotFound. */
function sortedPage<State extends { id: string; createTime: number }>(
  all: readonly State[],
  options: Pick<ListOptions<State>, 'query' | 'sortedBy'> & { key: string; limit: number; isDescending: boolean },
): { states: State[]; hasMore: boolean } {
  const { key, limit, isDescending, query, sortedBy = {} } = options;
  const valueOf = new Map(Object.entries({ id: ({ id }: State) => id, ...sortedBy })).get(key);
  if (!valueOf) {
    throw errors.invalidRequest([`sort: ${key} is none of created_at, id, ${Object.keys(sortedBy).join(', ')}`]);
  }
  const sorted = all.toSorted((one, other) => compare(valueOf(one), valueOf(other)) || compare(one.id, other.id));
  if (isDescending) sorted.reverse();
  const at = query.marker === undefined ? -1 : sorted.findIndex(({ id }) => id === query.marker);
  if (query.marker !== undefined && at < 0) throw errors.markerNotFound(query.marker);
  const from = at + 1 + (query.offset ?? 0);
  return { states: sorted.slice(from, from + limit), hasMore: sorted.length > from + limit };
}

function compare(one: string | number, other: string | number): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function nextOf(
  context: Pick<Context, 'base' | 'path' | 'search'>,
  states: readonly { id: string }[],
  hasMore: boolean,
): string | undefined {
  return hasMore ? nextPage(context, states.at(-1)?.id) : undefined;
}

/** Returns the address of the page of the same list that follows `marker`. */
export function nextPage(
  { base, path, search }: Pick<Context, 'base' | 'path' | 'search'>,
  marker: string | undefined,
): string | undefined {
  if (marker === undefined) return undefined;
  const query = new URLSearchParams(search);
  query.delete('offset');
  query.set('marker', marker);
  return `${base}${path}?${query.toString()}`;
}

/** The document of a page: `name` is its list, as in `{volumes: [...], volumes_links: [...]}`. */
export function pageDocument(
  name: string,
  items: readonly unknown[],
  { next, count }: Pick<Listed<unknown>, 'next' | 'count'>,
) {
  return {
    [name]: items,
    ...(next === undefined ? {} : { [`${name}_links`]: [{ rel: 'next', href: next }] }),
    ...(count === undefined ? {} : { count }),
  };
}

/** What pageDocument() makes. */
export function pageAnswer(name: string, item: z.ZodType) {
  return z
    .strictObject({ [name]: z.array(item) })
    .extend({ [`${name}_links`]: z.array(z.strictObject({ rel: z.literal('next'), href: z.string() })).optional() })
    .extend({ count: z.int().min(0).optional() });
}
