import type { KindName } from '../models/kinds.ts';
import type { Store } from '../redis/store.ts';
import { type Finding, inRedis } from './finding.ts';

type RedisType = 'hash' | 'zset' | 'string' | 'stream';

interface KeyKind {
  name: RegExp;
  type: RedisType;
  /** The kind of records that an index lists. */
  lists?: KindName;
  /** Daemons and repairs make it again. */
  isDerived: boolean;
  /** It has a time to live of the product. */
  expires?: boolean;
}

/** Every key of the product, after the prefix: its type, and what it is for. */
const kinds: readonly KeyKind[] = [
  {
    name: /^(volume|abandoned|migration|former|superseded|job|snapshot|attachment|transfer|group|group-snapshot|group-type|type|qos-spec|backend):[^:]+$/,
    type: 'hash',
    isDerived: false,
  },
  { name: /^node:[^:]+$/, type: 'hash', isDerived: false },
  { name: /^(user|project|assignment|application-credential):[^:]+$/, type: 'hash', isDerived: false },
  { name: /^(token|sign-in-failures):[^:]+$/, type: 'hash', isDerived: false },
  { name: /^(users|user-name:.+)$/s, type: 'zset', lists: 'user', isDerived: true },
  { name: /^(projects|project-name:.+)$/s, type: 'zset', lists: 'project', isDerived: true },
  { name: /^(assignments|(user|project):[^:]+:assignments)$/, type: 'zset', lists: 'assignment', isDerived: true },
  {
    name: /^(application-credentials|application-credential-name:.+|(user|project):[^:]+:application-credentials)$/s,
    type: 'zset',
    lists: 'application-credential',
    isDerived: true,
  },
  { name: /^(tokens|user:[^:]+:tokens)$/, type: 'zset', lists: 'token', isDerived: true },
  { name: /^sign-in-failures$/, type: 'zset', lists: 'sign-in-failures', isDerived: true },
  { name: /^quota:.+$/s, type: 'hash', isDerived: false },
  { name: /^default-type:.+$/s, type: 'hash', isDerived: false },
  { name: /^(default-types|type:[^:]+:default-of)$/, type: 'zset', lists: 'default-type', isDerived: true },
  { name: /^quotas$/, type: 'zset', lists: 'quota', isDerived: true },
  {
    name: /^(volumes|volume-ids|volume-names|node:[^:]+:(volumes|tasks|transfers)|(snapshot|volume):[^:]+:copies|(type|group):[^:]+:volumes)$/,
    type: 'zset',
    lists: 'volume',
    isDerived: true,
  },
  { name: /^project:.+:(volumes|faults)$/s, type: 'zset', lists: 'volume', isDerived: true },
  {
    name: /^(snapshots|snapshot-ids|snapshot-names|(volume|group-snapshot):[^:]+:snapshots)$/,
    type: 'zset',
    lists: 'snapshot',
    isDerived: true,
  },
  { name: /^project:.+:snapshots$/s, type: 'zset', lists: 'snapshot', isDerived: true },
  { name: /^(attachments|volume:[^:]+:attachments)$/, type: 'zset', lists: 'attachment', isDerived: true },
  { name: /^project:.+:attachments$/s, type: 'zset', lists: 'attachment', isDerived: true },
  { name: /^(transfers|transfer-ids|transfer-names)$/, type: 'zset', lists: 'transfer', isDerived: true },
  { name: /^project:.+:transfers$/s, type: 'zset', lists: 'transfer', isDerived: true },
  {
    name: /^(group-snapshots|group-snapshot-ids|group-snapshot-names|group:[^:]+:group-snapshots)$/,
    type: 'zset',
    lists: 'group-snapshot',
    isDerived: true,
  },
  { name: /^project:.+:group-snapshots$/s, type: 'zset', lists: 'group-snapshot', isDerived: true },
  { name: /^(groups|group-ids|group-names|group-type:[^:]+:groups)$/, type: 'zset', lists: 'group', isDerived: true },
  { name: /^(group-types|group-type-name:.+)$/s, type: 'zset', lists: 'group-type', isDerived: true },
  { name: /^project:.+:groups$/s, type: 'zset', lists: 'group', isDerived: true },
  {
    name: /^(types|type-ids|type-names|type-name:.+|qos-spec:[^:]+:types)$/s,
    type: 'zset',
    lists: 'type',
    isDerived: true,
  },
  { name: /^(qos-specs|qos-spec-name:.+)$/s, type: 'zset', lists: 'qos-spec', isDerived: true },
  { name: /^node:[^:]+:migrations$/, type: 'zset', lists: 'migration', isDerived: true },
  { name: /^(node|snapshot):[^:]+:jobs$/, type: 'zset', lists: 'job', isDerived: true },
  { name: /^node:[^:]+:former$/, type: 'zset', lists: 'former', isDerived: true },
  { name: /^node:[^:]+:superseded$/, type: 'zset', lists: 'superseded', isDerived: true },
  { name: /^node:[^:]+:(lent-)?abandoned$/, type: 'zset', lists: 'abandoned', isDerived: true },
  { name: /^(node:[^:]+:backends|free-space|shared:.+)$/s, type: 'zset', lists: 'backend', isDerived: true },
  { name: /^nodes$/, type: 'zset', lists: 'node', isDerived: true },
  { name: /^node:[^:]+:lease$/, type: 'string', isDerived: true, expires: true },
  { name: /^node:[^:]+:(shelves|quarantine)$/, type: 'zset', isDerived: true },
  { name: /^(catching-up|aoe:shelves)$/, type: 'zset', isDerived: true },
  { name: /^aoe:shelf-owners$/, type: 'hash', isDerived: true },
  { name: /^topic:.+$/s, type: 'stream', isDerived: true },
  { name: /^events$/, type: 'stream', isDerived: true },
  { name: /^replicated$/, type: 'string', isDerived: true, expires: true },
];

/** The key itself is whole. */
export const persistFix = 'remove the time to live';

function kindOf(name: string): KeyKind | undefined {
  return kinds.find((kind) => kind.name.test(name));
}

/** Returns the kind of records that an index lists, by its name; undefined for other keys. */
export function listedIn(name: string): KindName | undefined {
  return kindOf(name)?.lists;
}

/**
 * Keys of no use, keys that somebody gave a time to live, and keys of a wrong type. With `repair` the time to live is removed, and an
 * index, which can be made again.
 */
export async function* auditKeys(store: Store, { repair }: { repair: boolean }): AsyncGenerator<Finding> {
  for await (const names of store.names()) {
    const keys = names.map((name) => store.keys.prefix + name);
    const answers = await store.read((redis) =>
      Promise.all(keys.map((key) => Promise.all([redis.type(key), redis.pttl(key)]))),
    );
    for (const [index, name] of names.entries()) {
      const kind = kindOf(name);
      const [type, leftMs] = answers[index] ?? ['none', -2];
      const object = `key ${store.keys.prefix}${name}`;
      if (type === 'none') continue; // gone meanwhile
      if (!kind) {
        yield inRedis(object, 'is no key of blockstore', '', false);
      } else if (type !== kind.type) {
        const isRemoved = repair && kind.isDerived;
        if (isRemoved) await store.read((redis) => redis.del(store.keys.prefix + name));
        const fix = kind.isDerived ? 'remove it; it is made again' : '';
        yield inRedis(object, `is a ${type}, not a ${kind.type}`, fix, isRemoved);
      } else if (kind.expires !== true && leftMs >= 0) {
        if (repair) await store.read((redis) => redis.persist(store.keys.prefix + name));
        yield inRedis(object, 'has a time to live: Redis is going to remove it', persistFix, repair);
      }
    }
  }
}
