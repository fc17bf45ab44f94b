import type { FlagName } from './definitions.ts';
import type { Given } from './given.ts';

/** The alternative ways to give the address of Redis. */
const ways: readonly (readonly FlagName[])[] = [
  ['redis_url'],
  ['redis_sentinels'],
  ['redis_cluster'],
  ['redis_host', 'redis_port'],
];

/**
 * Keeps the address of Redis from the source with the highest rank and removes the flags of the other ways from `given`;
 * otherwise the redis_url of a file would override the redis_port of the command line. Returns the reason per removed flag.
 */
export function keepOneRedisWay(given: Map<FlagName, Given>, problems: string[]): Map<FlagName, string> {
  const found = ways.flatMap((names) => {
    const strongest = names
      .flatMap((name) => ({ name, ...given.get(name) }))
      .toSorted((one, other) => (other.rank ?? -1) - (one.rank ?? -1))[0];
    if (strongest?.rank === undefined || strongest.origin === undefined) return [];
    return [{ names, name: strongest.name, rank: strongest.rank, origin: strongest.origin }];
  });
  const [best, second] = found.toSorted((one, other) => other.rank - one.rank);
  const removed = new Map<FlagName, string>();
  if (!best) return removed;
  if (second?.rank === best.rank)
    problems.push(
      `${best.name} and ${second.name} both give the address of Redis: set only one (${best.origin}, ${second.origin})`,
    );
  const remove = (name: FlagName) => {
    const weaker = given.get(name);
    if (weaker)
      removed.set(name, `default; its value (${weaker.origin}) is overridden by ${best.name} (${best.origin})`);
    given.delete(name);
  };
  for (const { names } of found) if (names !== best.names) for (const name of names) remove(name);
  const database = given.get('redis_db');
  if (!database || (best.name !== 'redis_url' && best.name !== 'redis_cluster')) return removed;
  if (database.rank < best.rank) remove('redis_db');
  else if (best.name === 'redis_url')
    problems.push(`redis_db and redis_url cannot both be set: add the database to the URL (${database.origin})`);
  return removed;
}
