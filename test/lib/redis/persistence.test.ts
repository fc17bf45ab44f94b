import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { failoverProblem, persistenceProblems } from '../../../lib/redis/persistence.ts';
import { Store } from '../../../lib/redis/store.ts';
import { freePort } from '../../support/free-port.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

test('a Redis that refuses changes for what its INFO does not show is reported', async (t) => {
  const port = String(await freePort());
  const server = await RedisServer.start('--port', port, '--repl-diskless-sync-delay', '0');
  t.teardown(() => server.stop());
  const replica = await RedisServer.start('--replicaof', '127.0.0.1', port);
  t.teardown(() => replica.stop());
  const { flags } = loadFlags({ embedded: { redis_url: server.url } });
  const connection = await connect(flags, silentLog);
  t.teardown(() => connection.close());
  const store = new Store(connection, 'test');
  await connection.redis.config('SET', 'min-replicas-to-write', '2');
  const follows = async () => /min_slaves_good_slaves:1/.test(await connection.redis.info('replication'));
  await until(follows, 'the replica follows');
  const [problem, ...others] = await persistenceProblems(store);
  t.regex(problem?.message ?? '', /refuses writes: NOREPLICAS/);
  t.deepEqual(others, []);
  await connection.redis.config('SET', 'min-replicas-to-write', '1');
  t.deepEqual(await persistenceProblems(store), []);
});

test('a failover loses changes where neither Redis nor the flags ask for replicas', (t) => {
  const flags = { redis_sentinels: ['s1:26379'], redis_cluster: [], redis_min_replicas: 0 };
  t.regex(failoverProblem(new Map(), flags)?.hint ?? '', /redis_min_replicas = 1/);
  t.is(failoverProblem(new Map([['min_slaves_good_slaves', '1']]), flags), undefined);
  t.is(failoverProblem(new Map(), { ...flags, redis_min_replicas: 1 }), undefined);
  t.is(failoverProblem(new Map(), { ...flags, redis_sentinels: [] }), undefined);
});
