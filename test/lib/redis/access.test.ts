import { randomUUID } from 'node:crypto';
import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { scripts } from '../../../lib/redis/script-sources.ts';
import { type ChangeSet, commit } from '../../../lib/redis/scripts.ts';
import { Store } from '../../../lib/redis/store.ts';
import { fakeNode, insertVolume } from '../../support/records.ts';
import { RedisServer } from '../../support/redis-server.ts';

/** What Redis refuses in the middle of a script would stay as half a change. */

let server: RedisServer;
let store: Store;

async function storeFor(more: Record<string, string> = {}): Promise<Store> {
  const { flags } = loadFlags({ embedded: { redis_url: server.url, ...more } });
  return new Store(await connect(flags, silentLog), 'access');
}

test.before(async () => {
  server = await RedisServer.start();
  store = await storeFor();
});
test.after.always(async () => {
  await store.connection.close();
  await server.stop();
});

/** Every key with its content. */
async function dump(): Promise<Record<string, string | undefined>> {
  const keys = await store.redis.keys('*');
  const values = await Promise.all(
    keys.toSorted().map(async (key) => [key, (await store.redis.dumpBuffer(key))?.toString('hex')]),
  );
  return Object.fromEntries(values);
}

/** A change that has the script `commit` call each command that it has, but those of conditions. */
async function change(): Promise<ChangeSet> {
  await fakeNode(store, 'n1', { backends: [{}] });
  const [kept, gone] = [
    await insertVolume(store, { name: 'kept', requesters: 'r/1' }),
    await insertVolume(store, { name: 'gone', address: 'e1.1' }),
  ];
  return {
    conditions: [
      { is: 'freeSpace', backend: 'n1@fake', bytes: 2 ** 30 },
      { is: 'absent', kind: 'abandoned', id: kept.id },
    ],
    edits: [
      { kind: 'volume', id: kept.id, set: { name: 'other', size: '3' }, unset: ['task'] },
      { kind: 'volume', id: gone.id, remove: true, rest: 'e1.1' },
      { kind: 'volume', id: randomUUID(), insert: true, set: { size: '1', node: 'n1', backend: 'fake' } },
    ],
    commands: [{ topic: 'volume.n1', message: '{}' }],
    replies: [{ edit: 0 }],
  };
}

/** In `change`, no condition needs them. */
const notCalled = new Set(['HEXISTS', 'PTTL', 'ZCARD', 'ZRANGE']);

test.serial('a user who may not call one of the commands of a change changes nothing', async (t) => {
  const commands = [...(scripts.get('commit')?.commands ?? [])].filter((name) => !notCalled.has(name));
  t.true(commands.length > 8, commands.join(' '));
  for (const [index, command] of commands.entries()) {
    const user = `without${index}`;
    await store.redis.acl('SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', `-${command}`);
    const other = await storeFor({ redis_user: user, redis_password: 'secret' });
    t.teardown(() => other.connection.close());
    const request = await change();
    const before = await dump();
    await t.throwsAsync(commit(other, request), { code: 'RedisDenied' }, command);
    t.deepEqual(await dump(), before, command);
    t.like(await commit(store, request), { word: 'ok' }, command);
  }
});

test.serial('a change under a user who may publish nothing changes nothing', async (t) => {
  await store.redis.acl('SETUSER', 'mute', 'on', '>secret', '~*', 'resetchannels', '+@all');
  const mute = await storeFor({ redis_user: 'mute', redis_password: 'secret' });
  t.teardown(() => mute.connection.close());
  const request = await change();
  const before = await dump();
  await t.throwsAsync(commit(mute, request), { code: 'RedisDenied' });
  t.deepEqual(await dump(), before);
});

test.serial('a command that was renamed in redis.conf is named, and nothing is changed', async (t) => {
  const renamed = await RedisServer.start('--rename-command', 'XADD', '');
  t.teardown(() => renamed.stop());
  const { flags } = loadFlags({ embedded: { redis_url: renamed.url } });
  const connection = await connect(flags, silentLog);
  t.teardown(() => connection.close());
  const there = new Store(connection, 'access');
  const insert = { kind: 'volume', id: randomUUID(), insert: true, set: { size: '1' } } as const;
  await t.throwsAsync(commit(there, { edits: [insert] }), { code: 'RedisDenied', message: /Unknown Redis command/ });
  t.deepEqual(await there.redis.keys('*'), []);
});

test.serial('without memory only what frees some is changed', async (t) => {
  const request = await change();
  t.teardown(() => store.redis.config('SET', 'maxmemory', '0'));
  await store.redis.config('SET', 'maxmemory', '1');
  const before = await dump();
  await t.throwsAsync(commit(store, request), { code: 'RedisRefuses', message: /OOM/ });
  t.deepEqual(await dump(), before);
  t.like(await commit(store, { ...request, frees: true }), { word: 'ok' });
});

test.serial('a damaged index or topic leaves no half change, and a damaged counter none at all', async (t) => {
  const { keys, redis } = store;
  const [request, another] = [await change(), await change()];
  for (const key of [keys.volumes(), keys.topic('volume.n1'), keys.freeSpace(), keys.quarantine('n1')]) {
    await redis.set(key, 'damaged');
  }
  t.like(await commit(store, request), { word: 'ok' });
  await redis.set(keys.backend('n1@fake'), 'damaged');
  const before = await dump();
  await t.throwsAsync(commit(store, { ...another, conditions: [] }), { code: 'RedisDataDamaged' });
  t.deepEqual(await dump(), before);
});
