import type { Redis } from 'ioredis';
import type { Store } from '../../lib/redis/store.ts';

/** One key, removed or altered by hand. Names have `<1>`, `<2>` … in place of ids. */
export interface DamageCase {
  name: string;
  make: (redis: Redis, store: Store, key: string) => Promise<unknown>;
}

export interface KeyDamage {
  /** The name of the key, with placeholders for ids. */
  key: string;
  damage: DamageCase;
}

/**
 * Text that has no second copy, so that nobody can know that it was altered: it is the user's, or is
 * written once.
 */
const withoutCopy: readonly { key: RegExp; damage: RegExp }[] = [
  { key: /^volume:/, damage: /(availabilityZone|requesters) = garbage$/ },
  { key: /^volume:/, damage: /without requesters$/ },
  { key: /^attachment:/, damage: /(instanceId|mountpoint|projectId) = garbage$/ },
  { key: /^attachment:/, damage: /without (instanceId|mountpoint|attachTime|projectId)$/ },
  { key: /^group(-snapshot)?:[^:]+$/, damage: /userId( = garbage)?$/ },
  { key: /^group:[^:]+$/, damage: /without volumeTypes$/ },
  { key: /^group-snapshot:[^:]+$/, damage: /type( = garbage)?$/ }, // its group, and that type, may be gone
  { key: /^(group-type|type):[^:]+$/, damage: /(description|meta:\w+)( = garbage)?$/ },
  { key: /^qos-spec:[^:]+$/, damage: /meta:\w+( = garbage)?$/ },
  { key: /^quota:/, damage: /without maxVolumes$/ },
  // Nobody gets in by it, nor gets a role.
  { key: /^transfer:[^:]+$/, damage: /(salt|hash) = garbage$/ },
  { key: /^user:[^:]+$/, damage: /(description|email|password|defaultProject)( = garbage)?$/ },
  { key: /^user:[^:]+$/, damage: /generation = garbage$/ },
  { key: /^(project|application-credential):[^:]+$/, damage: /description( = garbage)?$/ },
  { key: /^(assignment|application-credential):[^:]+$/, damage: /roles( = garbage)?$/ },
  { key: /^application-credential:/, damage: /secret = garbage$/ },
  { key: /^token:/, damage: /(methods|auditId|generation|project|credential)( = garbage)?$/ },
  // What has happened is in no other place.
  { key: /^events$/, damage: /^removed$/ },
];

/** Every way in which one key is removed or altered. */
export async function casesFor(store: Store, key: string, shown: string): Promise<KeyDamage[]> {
  const damages = [removed, ofWrongType, ...(await byType(store, key))];
  return damages
    .filter((damage) => !withoutCopy.some((one) => one.key.test(shown) && one.damage.test(damage.name)))
    .map((damage) => ({ key: shown, damage }));
}

const removed: DamageCase = { name: 'removed', make: (redis, _, key) => redis.del(key) };
const ofWrongType: DamageCase = {
  name: 'of a wrong type',
  make: async (redis, _, key) => {
    const isString = (await redis.type(key)) === 'string';
    await redis.del(key);
    return isString ? redis.hset(key, 'a', 'b') : redis.set(key, 'garbage');
  },
};

async function byType({ redis }: Store, key: string): Promise<DamageCase[]> {
  switch (await redis.type(key)) {
    case 'hash':
      return Object.keys(await redis.hgetall(key)).flatMap((field) => [
        { name: `without ${field}`, make: (to: Redis, _: Store, at: string) => to.hdel(at, field) },
        { name: `${field} = garbage`, make: (to: Redis, _: Store, at: string) => to.hset(at, field, 'garbage') },
      ]);
    case 'zset':
      return [
        { name: 'with a stray entry', make: (to, _, at) => to.zadd(at, 7, 'garbage') },
        {
          name: 'without its last entry',
          make: async (to, _, at) => to.zrem(at, ...(await to.zrange(at, '-1', '-1'))),
        },
        {
          name: 'with a wrong score',
          make: async (to, _, at) => to.zincrby(at, 1_000_000, (await to.zrange(at, '0', '0'))[0] ?? ''),
        },
      ];
    case 'stream':
      return [{ name: 'with a garbage entry', make: (to, _, at) => to.xadd(at, '*', 'garbage', '{') }];
    case 'string':
      return [{ name: '= garbage', make: (to, _, at) => to.set(at, 'garbage') }];
    default:
      return [];
  }
}
