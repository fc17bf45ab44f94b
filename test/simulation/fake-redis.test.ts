import { createServer } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import {
  type Arbitrary,
  array,
  asyncProperty,
  boolean,
  check,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
} from 'fast-check';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { kindNames } from '../../lib/models/kinds.ts';
import { connect } from '../../lib/redis/connection.ts';
import {
  type ChangeSet,
  type Condition,
  type Edit,
  type ReplyTo,
  acquireLease,
  beginCatchUp,
  checkRecord,
  claimShelf,
  commit,
  hideBackend,
  isStrayEntry,
  releaseLease,
  releaseShelf,
  releaseShelves,
  report,
} from '../../lib/redis/scripts.ts';
import { Store } from '../../lib/redis/store.ts';
import { RedisServer } from '../support/redis-server.ts';
import { Database } from './fake-redis/database.ts';
import { Interpreter } from './fake-redis/interpreter.ts';
import { Lua } from './fake-redis/lua.ts';
import { encode } from './fake-redis/reply.ts';
import { RequestReader } from './fake-redis/requests.ts';

/** The Redis of the simulation answers as a real one does, and holds the same afterwards. */

let real: RedisServer;
let stores: { real: Store; fake: Store };
const cleaners: (() => unknown)[] = [];

test.before(async () => {
  real = await RedisServer.start();
  stores = {
    real: await storeAt(real.socket),
    fake: await storeAt(await serveFake(join(real.directory, 'fake.sock'))),
  };
});
test.after.always(async () => {
  for (const clean of cleaners.toReversed()) await clean();
  await real.stop();
});

async function storeAt(socket: string): Promise<Store> {
  const connection = await connect(loadFlags({ embedded: { redis_url: `unix:${socket}` } }).flags, silentLog);
  cleaners.push(() => connection.close());
  return new Store(connection, 'blockstore');
}

/** Without the time that passes between two ends. */
async function serveFake(socket: string): Promise<string> {
  const interpreter = new Interpreter({ database: new Database(Date.now), lua: await Lua.make(), publish: () => 0 });
  const server = createServer((client) => {
    const reader = new RequestReader();
    client.on('data', (chunk) => {
      for (const request of reader.read(chunk)) client.write(encode(interpreter.execute(request)));
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  cleaners.push(() => server.close());
  return socket;
}

interface Side {
  store: Store;
  /** Fencing tokens that it gave out, by node. */
  tokens: Map<string, string>;
  /** Entries of streams that it gave out. */
  entries: { topic: string; entry: string }[];
}

type Act = (side: Side) => Promise<unknown>;

const node = constantFrom('n1', 'n2');
const id = constantFrom('00aa', '01bb', '01cc', '02dd');
const backend = constantFrom('n1@fake', 'n2@fake');
const fault = { code: 'X', kind: 'failed', message: 'ä "quoted" \n', time: 1 } as const;
const to = 'c/1';

const leaseOf = (side: Side, name: string) => ({ node: name, token: side.tokens.get(name) ?? '' });

const fields = record(
  {
    name: constantFrom('one', 'ä "quoted" \n', '-1'),
    node,
    backend: constantFrom('fake', 'other'),
    projectId: constantFrom('p', 'q'),
    size: constantFrom('0', '1', '1000'),
    task: constantFrom('{"kind":"create"}', '{"kind":"delete","key":"k"}'),
    requesters: constantFrom(to, `${to} d/2`),
    status: constantFrom('creating', 'available'),
    allocatedBytes: constantFrom('0', '1073741824'),
    capacityBytes: constantFrom('5368709120', '1125899906842624'),
    accepting: constantFrom('true', 'false'),
    expires: constantFrom('5', '7'),
  },
  { requiredKeys: [] },
);

const edit: Arbitrary<Edit> = record(
  {
    kind: constantFrom(...kindNames),
    id: oneof(id, backend),
    insert: constantFrom(true),
    remove: constantFrom(true),
    expect: record({ status: constantFrom('', 'creating'), task: constantFrom('') }, { requiredKeys: [] }),
    set: fields,
    unset: array(constantFrom('name', 'node', 'task', 'requesters', 'size'), { maxLength: 3 }),
    stamp: constantFrom(['createTime'], ['attachTime', 'createTime']),
    join: constantFrom<ReplyTo>(to),
    rest: constantFrom('', 'e1.0', 'e1.2'),
  },
  { requiredKeys: ['kind', 'id'] },
);

/** Every record has what its indexes need; what is inserted had no values before. */
const edits = array(edit, { minLength: 1, maxLength: 3 }).map((list) =>
  list.map(({ expect, ...one }): Edit => {
    const set = { size: '1', ...one.set };
    const stamp = one.stamp ?? ['createTime'];
    const unset = one.unset?.filter((field) => field !== 'size') ?? [];
    return { ...one, set, stamp, unset, ...(expect && !one.insert ? { expect } : {}) };
  }),
);

const condition: Arbitrary<Condition> = oneof(
  record({ is: constantFrom('up', 'down', 'lost', 'notLost', 'gone'), node }),
  record({ is: constantFrom('served'), node, backend }),
  record({ is: constantFrom('freeSpace'), backend, bytes: constantFrom(0, 2 ** 30, 1000 * 2 ** 30) }),
  record({ is: constantFrom('rested'), node, quarantineMs: constantFrom(0, 600_000) }),
  record({ is: constantFrom('absent'), kind: constantFrom('volume', 'abandoned'), id: constantFrom('v1', 'v2') }),
  record({ is: constantFrom('empty'), key: constantFrom('volumes', 'node:n1:volumes') }),
  record({ is: constantFrom('fewer'), key: constantFrom('volumes', 'node:n1:volumes'), than: constantFrom(1, 3) }),
);

const change: Arbitrary<ChangeSet & { owned?: string }> = record(
  {
    owned: node,
    conditions: array(condition, { maxLength: 1 }),
    edits,
    commands: array(
      record({ topic: constantFrom('volume.n1', 'volume.n2'), message: constantFrom('{"volume":"x"}') }),
      {
        maxLength: 2,
      },
    ),
    replies: oneof(
      constantFrom([{ edit: 0 }]),
      constantFrom([{ edit: 0, fault }]),
      constantFrom([{ edit: 0, result: '{"findings":[]}' }]),
    ),
    returns: constantFrom(true),
  },
  { requiredKeys: ['edits'] },
);

/** A command as it is, with its name and arguments. */
const plainCommand = (name: string, ...args: (string | number)[]): { what: string; act: Act } => ({
  what: `${name} ${args.join(' ')}`,
  act: ({ store: { redis, keys } }) => {
    const [key, ...rest] = args;
    return redis.call(name, `${keys.prefix}${key}`, ...rest);
  },
});

const sets = constantFrom('volumes', 'volume-ids', 'volume-names', 'free-space', 'aoe:shelves', 'node:n1:volumes');

const acts: Arbitrary<{ what: string; act: Act }> = oneof(
  { weight: 6, arbitrary: change.map(commitAct) },
  {
    weight: 2,
    arbitrary: record({ node, holder: constantFrom('h', 'i'), before: constantFrom('', 'own', '1-x') }).map(
      ({ node: name, holder, before }) => ({
        what: `acquire ${name} ${holder} ${before}`,
        act: async (side: Side) => {
          const tokenBefore = before === 'own' ? leaseOf(side, name).token : before;
          const request = { node: name, holder, leaseMs: 100_000, incarnation: `daemon of ${name}`, tokenBefore };
          const outcome = await acquireLease(side.store, request);
          if (outcome.word === 'ok') side.tokens.set(name, outcome.token);
          return outcome;
        },
      }),
    ),
  },
  node.map((name) => ({
    what: `release ${name}`,
    act: (side: Side) => releaseLease(side.store, leaseOf(side, name)),
  })),
  {
    weight: 2,
    arbitrary: record({ node, backend, fields }).map(({ node: name, backend: of, fields: given }) => ({
      what: `report ${name} ${of} ${JSON.stringify(given)}`,
      act: (side: Side) =>
        report(side.store, {
          ...leaseOf(side, name),
          holder: 'h',
          leaseMs: 100_000,
          overdueMs: 0,
          nodeFields: { version: '1' },
          backends: [[of, given]],
        }),
    })),
  },
  record({ backend, node }).map(({ backend: of, node: name }) => ({
    what: `hide ${of} ${name}`,
    act: ({ store }: Side) => hideBackend(store, of, name),
  })),
  {
    weight: 2,
    arbitrary: record({ node, shelf: constantFrom(1, 2, 9, undefined) }).map(({ node: name, shelf }) => ({
      what: `claim ${name} ${shelf}`,
      act: (side: Side) =>
        claimShelf(side.store, {
          ...leaseOf(side, name),
          first: 1,
          last: 3,
          ...(shelf === undefined ? {} : { shelf }),
        }),
    })),
  },
  record({ node, shelf: constantFrom(1, 2, 9) }).map(({ node: name, shelf }) => ({
    what: `release ${name} ${shelf}`,
    act: (side: Side) => releaseShelf(side.store, { ...leaseOf(side, name), shelf }),
  })),
  node.map((name) => ({ what: `free shelves of ${name}`, act: ({ store }: Side) => releaseShelves(store, name) })),
  record({ node, places: constantFrom(1, 2), lengthMs: constantFrom(-1, 100_000) }).map((request) => ({
    what: `catch up ${JSON.stringify(request)}`,
    act: ({ store }: Side) => beginCatchUp(store, request),
  })),
  record({ kind: constantFrom(...kindNames), id: oneof(id, backend), repair: boolean() }).map((chosen) => ({
    what: `check ${JSON.stringify(chosen)}`,
    act: ({ store }: Side) => checkRecord(store, chosen.kind, chosen.id, chosen.repair),
  })),
  record({ id, index: sets, member: constantFrom('00aa', 'one\u000000aa', 'x'), repair: boolean() }).map(
    ({ repair, ...entry }) => ({
      what: `check entry ${JSON.stringify(entry)} ${repair}`,
      act: ({ store }: Side) => isStrayEntry(store, { kind: 'volume', ...entry }, repair),
    }),
  ),
  record({ topic: constantFrom('volume.n1', 'volume.n2'), count: integer({ min: 1, max: 3 }) }).map(
    ({ topic, count }) => ({
      what: `read ${topic} ${count}`,
      act: async (side: Side) => {
        const { redis, keys } = side.store;
        const answered: unknown = await redis.xread('COUNT', count, 'STREAMS', keys.topic(topic), '0');
        for (const [, entry = ''] of JSON.stringify(answered).matchAll(/"(\d+-\d+)"/g))
          side.entries.push({ topic, entry });
        return answered;
      },
    }),
  ),
  nat(9).map((index) => ({
    what: `remove entry ${index}`,
    act: async ({ store: { redis, keys }, entries }: Side) => {
      const found = entries[index % Math.max(1, entries.length)];
      return found && (await redis.xdel(keys.topic(found.topic), found.entry));
    },
  })),
  record({ from: constantFrom('[0', '[01', '-'), to: constantFrom('[01\xff', '+'), offset: nat(2) }).map((chosen) =>
    plainCommand('ZRANGE', 'volume-ids', chosen.from, chosen.to, 'BYLEX', 'LIMIT', chosen.offset, 2),
  ),
  record({ set: constantFrom('free-space', 'aoe:shelves'), offset: nat(2), count: integer({ min: -1, max: 3 }) }).map(
    ({ set, offset, count }) =>
      plainCommand('ZRANGE', set, '-inf', '+inf', 'BYSCORE', 'LIMIT', offset, count, 'WITHSCORES'),
  ),
  record({
    set: constantFrom('free-space', 'aoe:shelves'),
    from: integer({ min: -3, max: 2 }),
    end: constantFrom(0, 1, -1),
  }).map(({ set, from, end }) => plainCommand('ZRANGE', set, from, end, 'REV')),
  record({ from: constantFrom('-inf', '1', '(1'), to: constantFrom('+inf', '2', '(2') }).chain((bounds) =>
    constantFrom(
      plainCommand('ZCOUNT', 'aoe:shelves', bounds.from, bounds.to),
      plainCommand('ZREMRANGEBYSCORE', 'node:n1:shelves', bounds.from, bounds.to),
    ),
  ),
  sets.map((set) => plainCommand('ZSCAN', set, 0, 'COUNT', 1000)),
  constantFrom(plainCommand('HSCAN', 'aoe:shelf-owners', 0, 'COUNT', 1000)),
  id.map((one) => plainCommand('HEXISTS', `volume:${one}`, 'name')),
  constantFrom(plainCommand('SET', 'replicated', 1)),
);

function commitAct({ owned, ...chosen }: ChangeSet & { owned?: string }): { what: string; act: Act } {
  return {
    what: `commit ${owned} ${JSON.stringify(chosen)}`,
    act: (side) =>
      commit(side.store, { ...chosen, ...(owned === undefined ? {} : { owner: leaseOf(side, owned) }) }).catch(String),
  };
}

test.serial('every script and command answers as a real Redis does, in whatever order they come', async (t) => {
  const whole = array(acts, { minLength: 40, maxLength: 80 });
  const property = asyncProperty(whole, async (sequence) => {
    const sides = [stores.real, stores.fake].map((store): Side => ({ store, tokens: new Map(), entries: [] }));
    for (const { store } of sides) await store.redis.flushall();
    for (const { what, act } of sequence) {
      const [one, other] = await Promise.all(sides.map(async (side) => plain(await act(side))));
      if (one !== other) throw new Error(`${what}: a real Redis answers ${one}, the fake one ${other}`);
      const [left, right] = await Promise.all(sides.map(({ store }) => contents(store)));
      if (left !== right) throw new Error(`after ${what} a real Redis holds ${left}, the fake one ${right}`);
    }
  });
  const { failed, seed, errorInstance } = await check(property, {
    numRuns: 15,
    endOnFailure: true,
  });
  t.false(failed, `seed ${seed}: ${String(errorInstance)}`);
});

/** What may differ between two that are right: times, and the order of a table's fields. */
function plain(answered: unknown): string {
  const text = JSON.stringify(answered, (_key, value: unknown) =>
    sorted(typeof value === 'string' && /^(\{"|\[\{)/.test(value) ? JSON.parse(value) : value),
  );
  return (text ?? '')
    .replaceAll(/\d{13}/g, 'TIME')
    .replaceAll(/TIME-\d+/g, 'ENTRY')
    .replaceAll(/"leftMs":(9\d{4}|100000)\b/g, 'LEFT')
    .replaceAll(/"quietMs":\d{1,5}\b/g, 'QUIET');
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** Everything that is in it. Members whose score is a time may stand in another order. */
async function contents({ redis }: Store): Promise<string> {
  const found: [string, unknown][] = [];
  for (const key of (await redis.keys('*')).toSorted()) {
    const type = await redis.type(key);
    if (type === 'hash') found.push([key, await redis.hgetall(key)]);
    else if (type === 'zset') found.push([key, (await redis.zrange(key, '0', '-1')).toSorted()]);
    else if (type === 'stream') found.push([key, await redis.xlen(key)]);
    else found.push([key, [type, await redis.get(key), (await redis.pttl(key)) > 0]]);
  }
  return plain(found);
}
