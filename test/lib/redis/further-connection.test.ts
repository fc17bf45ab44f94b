import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { type Log, silentLog } from '../../../lib/log.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

/** Connections beside the main one: what is logged of them. */

/** Returns a log and its lines, the hints behind them. */
function linesOf(): { lines: string[]; log: Log } {
  const lines: string[] = [];
  const write = (line: string, more: { hint?: unknown } = {}) => lines.push(`${line} (${String(more.hint)})`);
  return { lines, log: { ...silentLog, error: write, info: write } };
}

test('a further connection that cannot be made again is logged with its cause, and when it is back', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const { lines, log } = linesOf();
  const connection = await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, log);
  t.teardown(() => connection.close());
  const store = await new Store(connection, 'test').onOwnConnection('heartbeats');
  const id = await store.redis.client('ID');
  await connection.redis.config('SET', 'maxclients', '1');
  await connection.redis.call('CLIENT', 'KILL', 'ID', String(id));
  await until(() => lines.some((line) => line.includes('maxclients')), 'it is logged');
  t.regex(
    lines[0] ?? '',
    /^the connection to Redis for heartbeats cannot be made again: Redis at \S+ cannot be reached: .*maxclients/,
  );
  t.is(connection.problems.length, 1);
  const error = await t.throwsAsync(
    store.read((redis) => redis.ping()),
    { code: 'RedisUnreachable' },
  );
  t.regex(String(Reflect.get(error, 'hint')), /maxclients/);
  await connection.redis.config('SET', 'maxclients', '100');
  await until(() => store.redis.status === 'ready', 'it is back');
  await until(() => lines.at(-1)?.startsWith('the connection to Redis for heartbeats is back') ?? false, 'that too');
  t.true(lines.length <= 3, lines.join('\n')); // a second one where the cause was known only later
  t.deepEqual(connection.problems, []);
});

test('one line speaks for all connections that go, and one for all that return', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const { lines, log } = linesOf();
  const connection = await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, log);
  t.teardown(() => connection.close());
  const others = [await connection.another(), await connection.another()];
  for (let count = 1; count <= 3; count += 1) {
    await server.down();
    await until(() => lines.length === 2 * count - 1, 'its going is logged');
    await server.up();
    await until(() => [connection.redis, ...others].every(({ status }) => status === 'ready'), 'all are back');
    t.is(lines.length, 2 * count, lines.join('\n'));
  }
});

test('a further connection that breaks and returns is not logged', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const { lines, log } = linesOf();
  const connection = await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, log);
  t.teardown(() => connection.close());
  const other = await connection.another();
  const id = await other.client('ID');
  await connection.redis.call('CLIENT', 'KILL', 'ID', String(id));
  await until(async () => other.status === 'ready' && (await other.client('ID')) !== id, 'it is back');
  t.deepEqual(lines, []);
});
