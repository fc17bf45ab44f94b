import { type Database, Hash } from './database.ts';
import { type Reply, ok } from './reply.ts';
import { type Scored, SortedSet, aboveText, belowText, scoreBound } from './sorted-set.ts';
import { Stream } from './stream.ts';

/** A command with its arguments; throws the text of an error answer. */
export type Command = (database: Database, args: readonly string[]) => Reply;

const text = (args: readonly string[], index: number): string => {
  const value = args[index];
  if (value === undefined) throw new Error('ERR wrong number of arguments');
  return value;
};

function pairs(args: readonly string[]): [string, string][] {
  return args.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, text(args, index + 1)]] : []));
}

/** The value after a word such as COUNT. */
function option(args: readonly string[], word: string): string | undefined {
  const index = args.findIndex((arg) => arg.toUpperCase() === word);
  return index < 0 ? undefined : args[index + 1];
}

function has(args: readonly string[], word: string): boolean {
  return args.some((arg) => arg.toUpperCase() === word);
}

const strings: Record<string, Command> = {
  GET: (database, [key = '']) => {
    const value = database.get(key);
    return typeof value === 'string' ? value : null;
  },
  SET: (database, [key = '', value = '', ...options]) => {
    if (has(options, 'XX') && database.get(key) === undefined) return null;
    database.set(key, value);
    const px = option(options, 'PX');
    database.endAt(key, px === undefined ? undefined : database.now() + Number(px));
    return ok;
  },
  DEL: (database, keys) => keys.filter((key) => database.get(key) !== undefined && database.delete(key)).length,
  EXISTS: (database, keys) => keys.filter((key) => database.get(key) !== undefined).length,
  PEXPIRE: (database, [key = '', ms = '']) => {
    if (database.get(key) === undefined) return 0;
    database.endAt(key, database.now() + Number(ms));
    return 1;
  },
  PEXPIREAT: (database, [key = '', time = '']) => {
    const value = database.get(key);
    if (value === undefined) return 0;
    database.set(key, value);
    database.endAt(key, Number(time));
    return 1;
  },
  PERSIST: (database, [key = '']) => {
    if (database.end(key) === undefined) return 0;
    database.endAt(key, undefined);
    return 1;
  },
  PTTL: (database, [key = '']) => {
    if (database.get(key) === undefined) return -2;
    const end = database.end(key);
    return end === undefined ? -1 : end - database.now();
  },
  TYPE: (database, [key = '']) => {
    const value = database.get(key);
    const name = value instanceof Hash ? 'hash' : value instanceof SortedSet ? 'zset' : 'stream';
    return { kind: 'status', text: value === undefined ? 'none' : typeof value === 'string' ? 'string' : name };
  },
  KEYS: (database, [pattern = '']) => {
    const start = pattern.replace(/\*$/, '').replaceAll(/\\(.)/g, '$1');
    return database.keys.filter((key) => key.startsWith(start));
  },
  /** All in one page. */
  SCAN: (database, [, ...options]) => {
    const start = (option(options, 'MATCH') ?? '').replace(/\*$/, '').replaceAll(/\\(.)/g, '$1');
    return ['0', database.keys.filter((key) => key.startsWith(start))];
  },
  FLUSHALL: (database) => {
    database.clear();
    return ok;
  },
};

const hashes: Record<string, Command> = {
  HGET: (database, [key = '', field = '']) => database.hash(key)?.get(field) ?? null,
  HMGET: (database, [key = '', ...fields]) => fields.map((field) => database.hash(key)?.get(field) ?? null),
  HGETALL: (database, [key = '']) => ({ kind: 'map', entries: [...(database.hash(key) ?? [])] }),
  /** All in one page. */
  HSCAN: (database, [key = '']) => ['0', [...(database.hash(key) ?? [])].flat()],
  HEXISTS: (database, [key = '', field = '']) => Number(database.hash(key)?.has(field) ?? false),
  HSET: (database, [key = '', ...rest]) => {
    const hash = database.writable(key, Hash);
    const before = hash.size;
    for (const [field, value] of pairs(rest)) hash.set(field, value);
    return hash.size - before;
  },
  HDEL: (database, [key = '', ...fields]) => {
    if (!database.hash(key)) return 0;
    const hash = database.writable(key, Hash);
    const count = fields.filter((field) => hash.delete(field)).length;
    database.dropEmpty(key);
    return count;
  },
  HINCRBY: (database, [key = '', field = '', by = '0']) => {
    const hash = database.writable(key, Hash);
    const value = Number(hash.get(field) ?? 0) + Number(by);
    hash.set(field, String(value));
    return value;
  },
};

const sortedSets: Record<string, Command> = {
  ZADD: (database, [key = '', ...rest]) => {
    if (has(rest.slice(0, 1), 'XX')) return 0; // only scripts that try it, on a key that does not exist
    const set = database.writable(key, SortedSet);
    return pairs(rest).filter(([score, member]) => set.add(member, Number(score))).length;
  },
  ZREM: (database, [key = '', ...members]) => removed(database, key, members),
  ZREMRANGEBYSCORE: (database, [key = '', from = '', to = '']) => {
    const found = byScore(database.sortedSet(key)?.sorted ?? [], from, to);
    return removed(
      database,
      key,
      found.map(([member]) => member),
    );
  },
  ZMSCORE: (database, [key = '', ...members]) => {
    const set = database.sortedSet(key);
    return members.map((member) => {
      const value = set?.score(member);
      return value === undefined ? null : { kind: 'double', value };
    });
  },
  ZSCORE: (database, [key = '', member = '']) => {
    const value = database.sortedSet(key)?.score(member);
    return value === undefined ? null : { kind: 'double', value };
  },
  ZCARD: (database, [key = '']) => database.sortedSet(key)?.size ?? 0,
  ZCOUNT: (database, [key = '', from = '', to = '']) => byScore(database.sortedSet(key)?.sorted ?? [], from, to).length,
  ZRANGE: (database, [key = '', from = '', to = '', ...options]) => {
    const found = limited(range(database.sortedSet(key)?.sorted ?? [], from, to, options), options);
    return has(options, 'WITHSCORES') ? { kind: 'scored', entries: found } : found.map(([member]) => member);
  },
  ZSCAN: (database, [key = '']) => [
    '0',
    (database.sortedSet(key)?.sorted ?? []).flatMap(([member, score]) => [member, String(score)]),
  ],
};

function removed(database: Database, key: string, members: readonly string[]): number {
  if (members.length === 0 || !database.sortedSet(key)) return 0;
  const set = database.writable(key, SortedSet);
  const count = members.filter((member) => set.remove(member)).length;
  database.dropEmpty(key);
  return count;
}

function byScore(all: readonly Scored[], from: string, to: string): readonly Scored[] {
  const [least, most] = [scoreBound(from), scoreBound(to)];
  return all.filter(
    ([, score]) =>
      (least.open ? score > least.value : score >= least.value) &&
      (most.open ? score < most.value : score <= most.value),
  );
}

function range(all: readonly Scored[], from: string, to: string, options: readonly string[]): readonly Scored[] {
  if (has(options, 'BYLEX')) return all.filter(([member]) => aboveText(from, member) && belowText(to, member));
  if (has(options, 'BYSCORE')) return byScore(all, from, to);
  if (has(options, 'REV')) return range(all.toReversed(), from, to, []);
  const end = Number(to) < 0 ? all.length + Number(to) : Number(to);
  return all.slice(Number(from) < 0 ? Math.max(0, all.length + Number(from)) : Number(from), end + 1);
}

function limited(found: readonly Scored[], options: readonly string[]): readonly Scored[] {
  const index = options.findIndex((word) => word.toUpperCase() === 'LIMIT');
  if (index < 0) return found;
  const [offset, count] = [Number(options[index + 1]), Number(options[index + 2])];
  return found.slice(offset, count < 0 ? undefined : offset + count);
}

const streams: Record<string, Command> = {
  XADD: (database, [key = '', ...args]) => {
    if (has(args.slice(0, 1), 'NOMKSTREAM') && database.stream(key) === undefined) return null;
    const fields = args.slice(args.indexOf('*') + 1);
    return database.writable(key, Stream).add(database.now(), fields, Number(option(args, '~') ?? Infinity));
  },
  XLEN: (database, [key = '']) => database.stream(key)?.length ?? 0,
  XDEL: (database, [key = '', ...ids]) => {
    const stream = database.stream(key);
    return stream ? ids.filter((id) => stream.delete(id)).length : 0;
  },
  XREAD: (database, args) => {
    const count = Number(option(args, 'COUNT') ?? Infinity);
    const named = args.slice(args.findIndex((arg) => arg.toUpperCase() === 'STREAMS') + 1);
    const entries = named.slice(0, named.length / 2).flatMap((key, index): [string, Reply][] => {
      const found = database.stream(key)?.after(text(named, named.length / 2 + index), count) ?? [];
      return found.length > 0 ? [[key, found.map(({ id, fields }) => [id, fields])]] : [];
    });
    return entries.length === 0 ? null : { kind: 'topics', entries };
  },
};

const server: Record<string, Command> = {
  PING: () => ({ kind: 'status', text: 'PONG' }),
  TIME: (database) => [String(Math.floor(database.now() / 1000)), String((database.now() % 1000) * 1000)],
  CLIENT: () => ok,
  INFO: () => info(1),
  HELLO: () => ({
    kind: 'map',
    entries: [
      ['server', 'redis'],
      ['proto', 3],
    ],
  }),
};

/** `run`: how often it was started. */
export function info(run: number, isLoading = false): string {
  const id = String(run).padStart(40, '0');
  const about = `redis_version:7.0.15\r\nrun_id:${id}\r\nloading:${isLoading ? 1 : 0}\r\n`;
  return `${about}role:master\r\nmaster_replid:${id}\r\n`;
}

/** What the product and its scripts use, and no more. */
export const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({ ...strings, ...hashes, ...sortedSets, ...streams, ...server }),
);
