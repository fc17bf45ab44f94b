import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { persistenceProblems } from '../../../lib/redis/persistence.ts';
import { Store } from '../../../lib/redis/store.ts';
import { freePort } from '../../support/free-port.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

/** Its primary is away. */
const replica = ['--replicaof', '127.0.0.1', '1'];

test('a replica that accepts writes is never used: its primary would not get them', async (t) => {
  const server = await RedisServer.start(...replica, '--replica-read-only', 'no');
  t.teardown(() => server.stop());
  const { flags } = loadFlags({ embedded: { redis_url: server.url } });
  const error = await t.throwsAsync(connect(flags, silentLog), { code: 'RedisUnreachable' });
  t.regex(error.message, /it is a replica that accepts writes \(replica-read-only no\)/);
  t.regex(String(Reflect.get(error, 'hint')), /to the primary/);
});

test('a replica whose records are shown is reported', async (t) => {
  const server = await RedisServer.start(...replica);
  t.teardown(() => server.stop());
  const connection = await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, silentLog);
  t.teardown(() => connection.close());
  const problems = await persistenceProblems(new Store(connection, 'test'));
  t.deepEqual(
    problems.map(({ message }) => message),
    ['this Redis is a replica, which has lost its primary: what it shows can be old, and it refuses changes'],
  );
});

test('what was read before the first replica followed is replicated after it does', async (t) => {
  const port = String(await freePort());
  const server = await RedisServer.start('--bind', '127.0.0.1', '--port', port, '--repl-diskless-sync-delay', '0');
  t.teardown(() => server.stop());
  const connection = await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, silentLog);
  t.teardown(() => connection.close());
  const before = await connection.identity();
  const following = await RedisServer.start('--replicaof', '127.0.0.1', port);
  t.teardown(() => following.stop());
  const isFollowed = async () => (await connection.redis.info('replication')).includes('state=online');
  await until(isFollowed, 'the replica follows');
  t.is(await connection.identity(), before, 'it is asked once a connection, and the server has another one now');
  const store = new Store(connection, 'test', { minReplicas: 1 });
  t.is(await store.readReplicated(async () => 'read'), 'read');
});
