import type { FlagName } from './definitions.ts';
import type { Given } from './given.ts';

/** Each way to say where Redis is. */
const ways: readonly (readonly FlagName[])[] = [
  ['redis_url'],
  ['redis_sentinels'],
  ['redis_cluster'],
  ['redis_host', 'redis_port'],
];

/**
 * Of several ways to say where Redis is, the one from the strongest source counts: the flags of the others are removed from
 * `given`, or a file's redis_url would beat the command line's redis_port. Returns why, for each flag removed.
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
      `${best.name} and ${second.name} both say where Redis is: set one (${best.origin}, ${second.origin})`,
    );
  const remove = (name: FlagName) => {
    const weaker = given.get(name);
    if (weaker) removed.set(name, `default; its value (${weaker.origin}) gives way to ${best.name} (${best.origin})`);
    given.delete(name);
  };
  for (const { names } of found) if (names !== best.names) for (const name of names) remove(name);
  const database = given.get('redis_db');
  if (!database || (best.name !== 'redis_url' && best.name !== 'redis_cluster')) return removed;
  if (database.rank < best.rank) remove('redis_db');
  else if (best.name === 'redis_url')
    problems.push(`redis_db and redis_url cannot both be set: put the database into the URL (${database.origin})`);
  return removed;
}
