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
  option,
  record,
} from 'fast-check';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { attachment, transitions } from '../../lib/models/transitions.ts';
import { connect } from '../../lib/redis/connection.ts';
import { type ScriptName, Store } from '../../lib/redis/store.ts';
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
  /** What it gave out: fencing numbers by node, entries of streams. */
  fences: Map<string, string>;
  entries: { topic: string; entry: string }[];
}

type Act = (side: Side) => Promise<unknown>;

const node = constantFrom('n1', 'n2');
const id = constantFrom('00aa', '01bb', '01cc', '02dd');
const slots = { first: 1, last: 3, slots: 3 };
const fault = { code: 'X', kind: 'failed', message: 'ä "quoted" \n', time: 1 };
const answer = { caller: 'c', request: '1' };

const run =
  (name: ScriptName, ...args: (string | number)[]): Act =>
  ({ store }) =>
    store.run(name, ...args);

const fenceOf = (side: Side, name: string) => side.fences.get(name) ?? '';
const place = (side: Side, index: number) => side.entries[index % Math.max(1, side.entries.length)];

const acts: Arbitrary<{ what: string; act: Act }> = oneof(
  node.map((name) => ({
    what: `enter ${name}`,
    act: async (side: Side) => {
      const answered = await side.store.run(
        'enter',
        name,
        `holder of ${name}`,
        100_000,
        'volume',
        `daemon of ${name}`,
        '',
      );
      side.fences.set(name, answered[1] ?? '');
      return answered;
    },
  })),
  record({ id, node: constantFrom('', 'n1', 'n9'), name: constantFrom('one', undefined) }).map((wanted) => ({
    what: `create ${JSON.stringify(wanted)}`,
    act: run(
      'create',
      wanted.id,
      JSON.stringify({
        fields: { size: '1', userId: 'u', projectId: 'p', ...(wanted.name === undefined ? {} : { name: wanted.name }) },
        node: wanted.node,
        topic: wanted.node === '' ? 'volume' : `volume.${wanted.node}`,
        message: JSON.stringify({ operation: 'create', id: wanted.id }),
      }),
    ),
  })),
  record({ id, node, index: nat(9) }).map(({ id: volume, node: name, index }) => ({
    what: `claim ${volume} ${name}`,
    act: (side: Side) => {
      const claim = { backend: 'fake', availabilityZone: 'nova', ...slots, message: place(side, index), kept: true };
      return side.store.run('claim', name, fenceOf(side, name), volume, JSON.stringify(claim));
    },
  })),
  record({ id, node, waits: boolean(), pinned: boolean() }).map(({ id: volume, node: name, waits, pinned }) => ({
    what: `refuse ${volume} ${name} ${waits} ${pinned}`,
    act: (side: Side) => {
      const command = { operation: 'create', id: volume };
      const refusal = { topic: 'volume', command, pinned, fault, ...(waits ? { answer } : {}) };
      return side.store.run('refuse', name, fenceOf(side, name), volume, JSON.stringify(refusal));
    },
  })),
  record({ id, node: option(node), index: nat(9), transition: constantFrom(...Object.values(transitions)) }).map(
    ({ id: volume, node: name, index, transition }) => ({
      what: `change ${volume} ${name} ${JSON.stringify(transition)}`,
      act: (side: Side) => {
        const owner = name === null ? {} : { node: name, fence: fenceOf(side, name) };
        const message = 'operation' in transition && JSON.stringify({ operation: transition.operation, id: volume });
        const command = message ? { command: { topic: 'volume', message } } : {};
        const change = { ...transition, ...owner, ...command, message: place(side, index), answer, fault };
        return side.store.run('change', volume, JSON.stringify(change));
      },
    }),
  ),
  node.map((name) => ({
    what: `report ${name}`,
    act: (side: Side) =>
      side.store.run(
        'report',
        name,
        fenceOf(side, name),
        'h',
        100_000,
        0,
        JSON.stringify({ totalBytes: 2 ** 50, a: 'b' }),
      ),
  })),
  record({
    node,
    whole: boolean(),
    number: constantFrom('1.0', '1.2', '2.1', '9.9'),
    own: option(record({ number: constantFrom('1.0', '1.1', '2.0', '3.1'), id, running: boolean() })),
  }).map(({ node: name, whole, number, own }) => ({
    what: `observe ${name} ${whole} ${number} ${JSON.stringify(own)}`,
    act: (side: Side) => {
      const seen = {
        others: { [number]: 'wire bb' },
        ...(own ? { own: { addresses: ['bb'], numbers: [own] } } : {}),
      };
      const fence = fenceOf(side, name);
      return side.store.run('observe', name, fence, slots.slots, JSON.stringify(seen), whole ? 'whole' : '');
    },
  })),
  record({ id, node, shelf: constantFrom(1, 2, undefined) }).map(({ id: volume, node: name, shelf }) => ({
    what: `adopt ${volume} ${name} ${shelf}`,
    act: (side: Side) => {
      const fields = { size: '1', userId: 'u', projectId: 'p', backend: 'fake' };
      const found = { fields, ...slots, ...(shelf === undefined ? {} : { shelf, slot: 1 }) };
      return side.store.run('adopt', name, fenceOf(side, name), volume, JSON.stringify(found));
    },
  })),
  node.map((name) => ({
    what: `leave ${name}`,
    act: (side: Side) => side.store.run('leave', name, fenceOf(side, name)),
  })),
  node.map((name) => ({
    what: `lose ${name}`,
    act: run('lose', name, JSON.stringify({ topic: 'volume', fault: JSON.stringify(fault), unset: attachment })),
  })),
  record({
    node,
    topic: constantFrom('volume', 'volume.n1', 'volume.n2'),
    from: constantFrom('>', '0'),
    count: integer({ min: 1, max: 3 }),
  }).map(({ node: name, topic, from, count }) => ({
    what: `read ${name} ${topic} ${from} ${count}`,
    act: async (side: Side) => {
      const { redis, keys } = side.store;
      const answered: unknown = await redis
        .xreadgroup('GROUP', 'nodes', name, 'COUNT', count, 'STREAMS', keys.topic(topic), from)
        .catch(String);
      for (const [, entry = ''] of JSON.stringify(answered).matchAll(/"(\d+-\d+)"/g))
        side.entries.push({ topic, entry });
      return answered;
    },
  })),
  node.map((name) => ({
    what: `take over by ${name}`,
    act: ({ store: { redis, keys } }: Side) =>
      redis.xautoclaim(keys.topic('volume'), 'nodes', name, 0, '0', 'COUNT', 2).catch(String),
  })),
  record({ from: constantFrom('[0', '[01', '-'), to: constantFrom('[01\xff', '+'), offset: nat(2) }).map((wanted) => ({
    what: `find ${JSON.stringify(wanted)}`,
    act: ({ store: { redis, keys } }: Side) =>
      redis.zrange(keys.volumeIds(), wanted.from, wanted.to, 'BYLEX', 'LIMIT', wanted.offset, 2),
  })),
  record({ offset: nat(2), count: integer({ min: 1, max: 3 }) }).map((wanted) => ({
    what: `free ${JSON.stringify(wanted)}`,
    act: ({ store: { redis, keys } }: Side) =>
      redis.zrange(
        keys.freeNumbers('n1'),
        '-inf',
        '+inf',
        'BYSCORE',
        'LIMIT',
        wanted.offset,
        wanted.count,
        'WITHSCORES',
      ),
  })),
);

test.serial('every script and command answers as a real Redis does, in whatever order they come', async (t) => {
  const whole = array(acts, { minLength: 40, maxLength: 80 });
  const property = asyncProperty(whole, async (sequence) => {
    const sides = [stores.real, stores.fake].map((store): Side => ({ store, fences: new Map(), entries: [] }));
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
    sorted(typeof value === 'string' && value.startsWith('{"') ? JSON.parse(value) : value),
  );
  return (text ?? '')
    .replaceAll(/\d{13}/g, 'TIME')
    .replaceAll(/TIME-\d+/g, 'ENTRY')
    .replaceAll(/"9\d{4}"/g, 'LEFT');
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
