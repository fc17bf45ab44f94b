import { z } from 'zod';
import type { Records } from '../../../lib/models/records.ts';
import { trueOrFalse, wholeNumber } from '../listing.ts';
import type { IdentityContext } from './call.ts';
import { domain } from './domain.ts';

const pageSize = 500;
/** Records that one request examines at most. */
const maxExamined = 10_000;

/** What every list can be asked for. */
export const listQuery = {
  limit: wholeNumber.optional(),
  marker: z.string().max(255).optional(),
  domain_id: z.string().max(255).optional(),
  sort_key: z.string().max(64).optional(),
  sort_dir: z.enum(['asc', 'desc']).optional(),
};

/** Of users and projects. */
export const namedListQuery = {
  ...listQuery,
  name: z.string().max(255).optional(),
  enabled: trueOrFalse.optional(),
};

interface Listed<State> {
  states: State[];
  hasMore: boolean;
}

/** Returns the records of an index that match, in the order of their creation. */
export async function listed<State extends { id: string; createTime: number }>(
  { flags }: Pick<IdentityContext, 'flags'>,
  {
    records,
    index,
    query,
    matches,
  }: {
    records: Records<State>;
    index: string;
    query: { limit?: number | undefined; marker?: string | undefined; domain_id?: string | undefined };
    matches: (state: State) => boolean;
  },
): Promise<Listed<State>> {
  const limit = Math.min(query.limit || flags.api_max_limit, flags.api_max_limit);
  const states: State[] = [];
  if (query.domain_id !== undefined && query.domain_id !== domain.id) return { states, hasMore: false };
  let marker = query.marker === undefined ? undefined : await markerOf(records, query.marker);
  for (let examined = 0; examined < maxExamined; examined += pageSize) {
    const page = await records.page(index, { limit: pageSize, ...(marker === undefined ? {} : { marker }) });
    states.push(...page.states.filter(matches));
    marker = page.next;
    if (marker === undefined || states.length > limit) break;
  }
  return { states: states.slice(0, limit), hasMore: marker !== undefined || states.length > limit };
}

/** What listDocument() makes. */
export function listAnswer<Item extends z.ZodType>(name: string, item: Item) {
  return z.strictObject({
    [name]: z.array(item),
    links: z.strictObject({ self: z.string(), previous: z.null(), next: z.string().nullable() }),
    truncated: z.literal(true).optional(),
  });
}

/** Returns the document of a list; `last`: the id of its last entry. */
export function listDocument(
  { origin, path, search }: Pick<IdentityContext, 'origin' | 'path' | 'search'>,
  name: string,
  { items, hasMore = false, last = '' }: { items: readonly object[]; hasMore?: boolean; last?: string },
) {
  const next = new URLSearchParams(search);
  next.set('marker', last);
  return {
    [name]: items,
    links: {
      self: `${origin}${path}${search.size === 0 ? '' : `?${search.toString()}`}`,
      previous: null,
      next: hasMore ? `${origin}${path}?${next.toString()}` : null,
    },
    ...(hasMore ? { truncated: true } : {}),
  };
}

async function markerOf<State extends { id: string; createTime: number }>(
  records: Records<State>,
  id: string,
): Promise<string | undefined> {
  const found = await records.find(id);
  return found === undefined ? undefined : `${found.createTime} ${id}`;
}
