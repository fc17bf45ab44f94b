import type { FlagName } from './definitions.ts';
import { type Displacement, displace } from './displace.ts';
import { type Given, parseFlag } from './given.ts';

/** The alternative ways to give the address of Redis. */
const ways: readonly (readonly FlagName[])[] = [
  ['redis_url'],
  ['redis_sentinels'],
  ['redis_cluster'],
  ['redis_host', 'redis_port'],
];

/**
 * Keeps the address of Redis from the source with the highest rank and removes the flags of the other ways: otherwise the redis_url
 * of a file would override the redis_port of the command line. The same for what a URL and flags both give.
 */
export function keepOneRedisWay(sources: Displacement): void {
  const { given, problems } = sources;
  const found = ways.flatMap((names) => {
    const strongest = names
      .flatMap((name) => ({ name, ...given.get(name) }))
      .toSorted((one, other) => (other.rank ?? -1) - (one.rank ?? -1))[0];
    if (strongest?.rank === undefined || strongest.origin === undefined) return [];
    return [{ names, name: strongest.name, rank: strongest.rank, origin: strongest.origin }];
  });
  const [best, second] = found.toSorted((one, other) => other.rank - one.rank);
  if (!best) return;
  if (second?.rank === best.rank)
    problems.push(
      `${best.name} and ${second.name} both give the address of Redis: set only one (${best.origin}, ${second.origin})`,
    );
  for (const { names } of found) if (names !== best.names) for (const name of names) displace(sources, name, best);
  const database = given.get('redis_db');
  if (database && database.rank < best.rank && best.name === 'redis_cluster') displace(sources, 'redis_db', best);
  if (best.name === 'redis_url') keepOneOfUrlParts(sources);
}

/** What a URL can give as well as a flag. */
interface UrlPart {
  name: FlagName;
  /** Whether the URL gives it; `isStronger`: than the flag. */
  isIn: (url: URL, isStronger: boolean) => boolean;
  /** Removes it from the URL, or replaces it by the value of the flag. */
  yield: (url: URL, value: string) => void;
}

const urlParts: readonly UrlPart[] = [
  {
    name: 'redis_user',
    // A password alone is that of the default user, unless the same source names another one.
    isIn: ({ username, password }, isStronger) => username !== '' || (isStronger && password !== ''),
    yield: (url) => {
      url.username = '';
    },
  },
  {
    name: 'redis_password',
    isIn: ({ password }) => password !== '',
    yield: (url) => {
      url.password = '';
    },
  },
  {
    name: 'redis_tls',
    isIn: ({ protocol }, isStronger) => isStronger || protocol === 'rediss:',
    yield: (url) => {
      url.protocol = 'redis:';
    },
  },
  {
    name: 'redis_db',
    isIn: () => true, // none is 0
    yield: (url, value) => {
      url.search = '';
      if (url.protocol === 'unix:') url.searchParams.set('db', value);
      else url.pathname = `/${value}`;
    },
  },
];

function keepOneOfUrlParts(sources: Displacement): void {
  const { given, problems } = sources;
  for (const part of urlParts) {
    const { name } = part;
    const address = given.get('redis_url');
    const flag = given.get(name);
    if (!address || !flag || !URL.canParse(address.value)) continue;
    const url = new URL(address.value);
    if (!part.isIn(url, address.rank > flag.rank)) continue;
    if (address.rank > flag.rank) displace(sources, name, { name: 'redis_url', origin: address.origin });
    else if (flag.rank > address.rank) {
      if (!isValid(name, flag)) continue; // in the URL, that would be reported as well, with the origin of the URL
      part.yield(url, flag.value);
      given.set('redis_url', { ...address, value: url.href });
    } else if (name === 'redis_db') {
      problems.push(`redis_db and redis_url cannot both be set: add the database to the URL (${flag.origin})`);
    } else if (name !== 'redis_tls' || parseFlag(name, flag, '', []) === false) {
      problems.push(`${name} contradicts redis_url: set only one of them (${flag.origin}, ${address.origin})`);
    }
  }
}

function isValid(name: FlagName, flag: Given): boolean {
  const problems: string[] = [];
  parseFlag(name, flag, '', problems);
  return problems.length === 0;
}
