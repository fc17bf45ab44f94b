import { randomUUID } from 'node:crypto';
import test from 'ava';
import { silentLog } from '../../../lib/log.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { redisTime } from '../../../lib/redis/redis-time.ts';
import { type ChangeSet, type Edit, acquireLease, commit } from '../../../lib/redis/scripts.ts';
import { Store } from '../../../lib/redis/store.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { fakeNode } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** The script `commit`: every precondition, and what it keeps beside the records. */

let server: RedisServer;
let store: Store;
test.before(async () => {
  server = await RedisServer.start();
  const connection = await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, silentLog);
  store = new Store(connection, 'commit');
});
test.after.always(async () => {
  await store.connection.close();
  await server.stop();
});

const gib = 2 ** 30;

function volume(more: Record<string, string> = {}): Edit & { id: string; set: Record<string, string> } {
  const set = { size: '1', node: 'n1', backend: 'b', projectId: 'p', name: 'data', status: 'available', ...more };
  return { kind: 'volume', id: randomUUID(), insert: true, set, stamp: ['createTime'] };
}

const apply = (...edits: Edit[]) => commit(store, { edits });
const read = (id: string) => store.redis.hgetall(store.keys.volume(id));
const has = async (index: string, member: string) => (await store.redis.zscore(index, member)) !== null;

test('insert refuses a record that exists, and gives it; any other edit one that does not', async (t) => {
  const one = volume();
  t.like(await apply(one), { word: 'ok', records: [] });
  t.like(await apply(volume(), one), { word: 'exists', edit: 1, record: { size: '1' } });
  t.deepEqual(await apply({ kind: 'volume', id: randomUUID(), set: { name: 'x' } }), { word: 'absent', edit: 0 });
});

test('expect compares fields, the empty text an absent one, and gives the record as it is', async (t) => {
  const one = volume();
  await apply(one);
  const { id } = one;
  const change = (expect: Record<string, string>) => apply({ kind: 'volume', id, expect, set: { name: 'changed' } });
  t.like(await change({ status: 'error' }), { word: 'changed', edit: 0, record: { status: 'available' } });
  t.like(await change({ task: 'x' }), { word: 'changed' });
  t.is((await read(id))['name'], 'data');
  t.like(await change({ status: 'available', task: '' }), { word: 'ok' });
  t.is((await read(id))['name'], 'changed');
});

test('all edits are made, or none where one is refused, nor its commands and replies', async (t) => {
  const [one, other] = [volume(), volume()];
  await apply(one);
  const commands = [{ topic: 'all-or-nothing', message: 'm' }];
  const change: ChangeSet = { edits: [other, { kind: 'volume', id: one.id, expect: { name: 'no' } }], commands };
  t.like(await commit(store, change), { word: 'changed', edit: 1 });
  t.deepEqual(await read(other.id), {});
  t.is(await store.redis.exists(store.keys.topic('all-or-nothing')), 0);
  t.like(await commit(store, { edits: [other, { kind: 'volume', id: one.id, set: { name: 'two' } }], commands }), {
    word: 'ok',
  });
  t.is(await store.redis.xlen(store.keys.topic('all-or-nothing')), 1);
});

test('set, unset and stamp change single fields, and `returns` gives the records', async (t) => {
  const one = volume();
  await apply(one);
  const edit: Edit = { kind: 'volume', id: one.id, set: { a: '1' }, unset: ['name'], stamp: ['attachTime'] };
  const outcome = await commit(store, { edits: [edit, { kind: 'volume', id: one.id, remove: true }], returns: true });
  t.is(outcome.word, 'ok');
  const [record, removed] = outcome.word === 'ok' ? outcome.records : [];
  t.is(record?.['a'], '1');
  t.is(record?.['name'], undefined);
  t.true(Math.abs(Number(record?.['attachTime']) - Date.now()) < 60_000);
  t.is(removed, undefined);
  t.deepEqual(await read(one.id), {});
});

test('the owner of a change holds the lease', async (t) => {
  const lease = await fakeNode(store, 'owner');
  const owner = lease.token;
  t.like(await commit(store, { owner, edits: [] }), { word: 'ok' });
  t.deepEqual(await commit(store, { owner: { ...owner, token: 'old' }, edits: [volume()] }), { word: 'Fenced' });
  const request = { node: 'owner', holder: 'test', leaseMs: 1000, incarnation: 'next', tokenBefore: '' };
  await acquireLease(store, request);
  t.deepEqual(await commit(store, { owner, edits: [] }), { word: 'Fenced' });
});

test('conditions on nodes, sets, records and free space name the one that is not met', async (t) => {
  await fakeNode(store, 'up', { backends: [{ name: 'b', capacityBytes: 2 * gib }] });
  await fakeNode(store, 'down', { leaseMs: 1, backends: [{ name: 'b', accepting: false }] });
  await until(async () => (await store.redis.exists(store.keys.lease('down'))) === 0, 'it is down');
  await store.redis.hset(store.keys.node('lost'), 'lost', '1');
  await store.redis.zadd(`${store.keys.prefix}filled`, 1, 'x');
  const time = await redisTime(store);
  await store.redis.zadd(store.keys.quarantine('resting'), time - 700_000, 'e1.0', time - 500_000, 'e1.1');
  await store.redis.hset(store.keys.node('stopped'), 'stopTime', String(time - 30_000));
  await store.redis.hset(store.keys.node('longStopped'), 'stopTime', String(time - 60_000));
  await store.redis.hset(store.keys.backend('shared@b'), 'shared', 'storage');
  const isMet = async (condition: NonNullable<ChangeSet['conditions']>[number]) => {
    const outcome = await commit(store, { conditions: [{ is: 'up', node: 'up' }, condition], edits: [] });
    if (outcome.word === 'condition') t.deepEqual(outcome.condition, condition);
    return outcome.word === 'ok';
  };
  t.deepEqual(
    [
      await isMet({ is: 'up', node: 'up' }),
      await isMet({ is: 'up', node: 'down' }),
      await isMet({ is: 'down', node: 'down' }),
      await isMet({ is: 'down', node: 'up' }),
      await isMet({ is: 'lost', node: 'lost' }),
      await isMet({ is: 'lost', node: 'up' }),
      await isMet({ is: 'notLost', node: 'up' }),
      await isMet({ is: 'notLost', node: 'lost' }),
      await isMet({ is: 'gone', node: 'up' }),
      await isMet({ is: 'gone', node: 'down' }),
      await isMet({ is: 'gone', node: 'lost' }),
      await isMet({ is: 'gone', node: 'stopped' }),
      await isMet({ is: 'gone', node: 'longStopped' }),
      await isMet({ is: 'served', node: 'up', backend: 'up@b' }),
      await isMet({ is: 'served', node: 'lost', backend: 'lost@b' }),
      await isMet({ is: 'served', node: 'down', backend: 'down@b' }),
      await isMet({ is: 'served', node: 'stopped', backend: 'shared@b' }),
      await isMet({ is: 'served', node: 'down', backend: 'shared@b' }),
      await isMet({ is: 'empty', key: 'nosuch' }),
      await isMet({ is: 'empty', key: 'filled' }),
      await isMet({ is: 'absent', kind: 'node', id: 'nosuch' }),
      await isMet({ is: 'absent', kind: 'node', id: 'lost' }),
      await isMet({ is: 'rested', node: 'nosuch', quarantineMs: 600_000 }),
      await isMet({ is: 'rested', node: 'resting', quarantineMs: 600_000 }),
      await isMet({ is: 'rested', node: 'resting', quarantineMs: 0 }),
      await isMet({ is: 'freeSpace', backend: 'up@b', bytes: 2 ** 31 }),
      await isMet({ is: 'freeSpace', backend: 'up@b', bytes: 3 * 2 ** 30 }),
      await isMet({ is: 'freeSpace', backend: 'down@b', bytes: 100 * 2 ** 20 }),
      await isMet({ is: 'freeSpace', backend: 'nosuch@b', bytes: 100 * 2 ** 20 }),
    ],
    [
      true,
      false,
      true,
      false,
      true,
      false,
      true,
      false,
      false,
      true,
      true,
      false,
      true,
      true,
      false,
      true,
      true,
      false,
      true,
      false,
      true,
      false,
      true,
      false,
      true,
      true,
      false,
      false,
      false,
    ],
  );
});

test('indexes follow the fields of a record', async (t) => {
  const { keys } = store;
  const one = volume({ node: 'i1', projectId: 'i', task: 'T' });
  const { id } = one;
  await apply(one);
  const where = async () => ({
    all: (await has(keys.volumes(), id)) && (await has(keys.volumeIds(), id)),
    n1: await has(keys.nodeVolumes('i1'), id),
    n2: await has(keys.nodeVolumes('i2'), id),
    tasks1: await has(keys.tasks('i1'), id),
    tasks2: await has(keys.tasks('i2'), id),
    project: await has(keys.projectVolumes('i'), id),
    oldName: await has(keys.volumeNames(), `data\0${id}`),
    newName: await has(keys.volumeNames(), `new\0${id}`),
  });
  const none = { n2: false, tasks2: false, newName: false };
  t.deepEqual(await where(), { ...none, all: true, n1: true, tasks1: true, project: true, oldName: true });
  const began = await store.redis.zscore(keys.tasks('i1'), id);
  await apply({ kind: 'volume', id, set: { progress: '4' } });
  t.is(await store.redis.zscore(keys.tasks('i1'), id), began, 'the time of the task is that of its beginning');
  await apply({ kind: 'volume', id, set: { node: 'i2', name: 'new' }, unset: ['task'] });
  t.deepEqual(await where(), {
    all: true,
    n1: false,
    n2: true,
    tasks1: false,
    tasks2: false,
    project: true,
    oldName: false,
    newName: true,
  });
  await apply({ kind: 'volume', id, remove: true });
  t.true(Object.values(await where()).every((isThere) => !isThere));
});

test('allocated bytes and the set of free space follow the sizes of the volumes of a backend', async (t) => {
  const { keys, redis } = store;
  await fakeNode(store, 's', { backends: ['a', 'b'].map((name) => ({ name, capacityBytes: 10 * gib })) });
  const sums = async () => ({
    a: Number((await redis.hget(keys.backend('s@a'), 'allocatedBytes')) ?? 0) / gib,
    b: Number((await redis.hget(keys.backend('s@b'), 'allocatedBytes')) ?? 0) / gib,
    freeA: Number(await redis.zscore(keys.freeSpace(), 's@a')) / gib,
    freeB: Number(await redis.zscore(keys.freeSpace(), 's@b')) / gib,
  });
  const [one, small] = [volume({ node: 's', backend: 'a', size: '3' }), volume({ node: 's', backend: 'a', size: '0' })];
  await apply(one);
  t.deepEqual(await sums(), { a: 3, b: 0, freeA: 7, freeB: 10 });
  await apply({ kind: 'volume', id: one.id, set: { backend: 'b' } });
  t.deepEqual(await sums(), { a: 0, b: 3, freeA: 10, freeB: 7 });
  await apply({ kind: 'volume', id: one.id, set: { size: '5', name: 'grown' } });
  t.deepEqual(await sums(), { a: 0, b: 5, freeA: 10, freeB: 5 });
  await apply(small);
  t.is((await sums()).a * 1024, 100, 'size 0 is 100 MiB');
  await apply({ kind: 'volume', id: one.id, remove: true }, { kind: 'volume', id: small.id, remove: true });
  t.deepEqual(await sums(), { a: 0, b: 0, freeA: 10, freeB: 10 });
  const large = volume({ node: 's', backend: 'a', size: '1000' });
  await Promise.all(Array.from({ length: 100 }, () => apply({ ...large, id: randomUUID() })));
  t.is(await redis.hget(keys.backend('s@a'), 'allocatedBytes'), String(100_000 * gib), 'to the byte');
});

test('an address rests in the quarantine of its node', async (t) => {
  const one = volume({ node: 'q' });
  await apply(one);
  await apply({ kind: 'volume', id: one.id, remove: true, rest: 'e1.0' });
  t.deepEqual(await store.redis.zrange(store.keys.quarantine('q'), '0', '-1'), ['e1.0']);
});

test('replies reach every requester of the record before the edit', async (t) => {
  const one = volume({ requesters: 'channel-1/1', task: 'T' });
  const { id } = one;
  await apply(one);
  await apply({ kind: 'volume', id, join: 'channel-1/2' });
  const redis = await store.connection.another();
  const heard: unknown[] = [];
  redis.on('message', (_channel: string, text: string) => heard.push(JSON.parse(text)));
  await redis.subscribe(store.keys.replies('channel-1'));
  const fault = { code: 'X', kind: 'failed' as const, message: 'm' };
  const edit: Edit = { kind: 'volume', id, set: { status: 'error' }, unset: ['requesters', 'task'] };
  await commit(store, { edits: [edit], replies: [{ edit: 0, fault }] });
  await until(() => heard.length === 2, 'both have the reply');
  t.like(heard, {
    0: { request: '1', fault, record: { status: 'error' } },
    1: { request: '2', fault, record: { status: 'error' } },
  });
});
