import { createHash } from 'node:crypto';
import { UnreadableError, hashSchema } from '../../models/hash.ts';
import { parseSignInFailures } from '../../models/sign-in-failures.ts';
import { redisTime } from '../../redis/redis-time.ts';
import { type Edit, commit } from '../../redis/scripts.ts';
import type { Store } from '../../redis/store.ts';
import { maxChanges } from '../start-task.ts';
import { removeRecords } from './remove-all.ts';

/** Whose failures are counted. Users behind one proxy share an address: it has more attempts, and waits less. */
export type Suspect = { name: string } | { address: string };

const limits = { name: { free: 5, longestMs: 300_000 }, address: { free: 30, longestMs: 60_000 } } as const;
const firstMs = 1000;
/** After the end of the wait. */
const rememberedMs = 15 * 60_000;
/** Guesses with ever new names must not fill Redis: beyond that the one that is forgotten first goes. */
const maxRecords = 10_000;

/** Returns how long the next attempt of any of them has to wait, in milliseconds. */
export async function lockedFor(store: Store, suspects: readonly Suspect[]): Promise<number> {
  const [now, ...found] = await Promise.all([
    redisTime(store),
    ...suspects.map((suspect) => failuresOf(store, recordId(suspect))),
  ]);
  return Math.max(0, ...found.map((failures) => (failures?.until ?? 0) - now));
}

/** Each failure beyond the free ones doubles the wait. */
export async function countFailure(store: Store, suspect: Suspect): Promise<void> {
  const id = recordId(suspect);
  const { free, longestMs } = 'name' in suspect ? limits.name : limits.address;
  for (let change = 0; change < maxChanges; change += 1) {
    const [now, found, surplus] = await Promise.all([redisTime(store), failuresOf(store, id), surplusRecords(store)]);
    const count = (found && found.expires > now ? found.count : 0) + 1;
    const waitMs = count < free ? 0 : Math.min(firstMs * 2 ** (count - free), longestMs);
    const set = { count: String(count), until: String(now + waitMs), expires: String(now + waitMs + rememberedMs) };
    const edit = { kind: 'sign-in-failures', id, set } as const;
    const outcome = await commit(store, {
      edits: [
        found ? { ...edit, expect: { count: found.text } } : { ...edit, insert: true },
        ...surplus.flatMap((other): Edit[] =>
          other === id ? [] : [{ kind: 'sign-in-failures', id: other, remove: true, optional: true }],
        ),
      ],
    });
    if (outcome.word === 'ok') return;
  }
}

/** After a success. */
export async function forgetFailures(store: Store, suspect: Suspect): Promise<void> {
  const id = recordId(suspect);
  if (await failuresOf(store, id)) await removeRecords(store, 'sign-in-failures', [id]);
}

async function surplusRecords(store: Store): Promise<string[]> {
  const index = store.keys.allSignInFailures();
  const count = await store.read((redis) => redis.zcard(index));
  return count < maxRecords ? [] : store.read((redis) => redis.zrange(index, '0', '1'));
}

/** Those of a record that somebody altered are none. `text`: its count as it is stored; '' = none. */
async function failuresOf(store: Store, id: string) {
  const hash = await store.read((redis) => redis.hgetall(store.keys.signInFailures(id)));
  const found = hashSchema.parse(hash);
  if (Object.keys(found).length === 0) return undefined;
  const { count: text = '' } = found;
  try {
    return { ...parseSignInFailures(found), text };
  } catch (error) {
    if (error instanceof UnreadableError) return { count: 0, until: 0, expires: 0, text };
    throw error;
  }
}

/** Names can be passwords that somebody typed in the wrong place: Redis has their hash. */
function recordId(suspect: Suspect): string {
  return createHash('sha256').update(JSON.stringify(suspect)).digest('hex').slice(0, 32);
}
