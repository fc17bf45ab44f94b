import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { persistenceProblems } from '../../../lib/redis/persistence.ts';
import { Store } from '../../../lib/redis/store.ts';
import { RedisServer } from '../../support/redis-server.ts';

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
