import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { Redis } from 'ioredis';
import { execa } from 'execa';
import type { FlagName } from '../../../lib/flags/definitions.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { type Log, silentLog } from '../../../lib/log.ts';
import { connectionOptions } from '../../../lib/redis/connection-options.ts';
import { Connection, connect } from '../../../lib/redis/connection.ts';
import { persistenceProblems, refusalProblem } from '../../../lib/redis/persistence.ts';
import { acquireLease } from '../../../lib/redis/scripts.ts';
import { Store } from '../../../lib/redis/store.ts';
import { freePort } from '../../support/free-port.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

const flagsOf = (embedded: Partial<Record<FlagName, string>>) => loadFlags({ embedded }).flags;

async function directoryFor(t: { teardown: (clean: () => Promise<void>) => void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-connection-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

test('every form of address is parsed', (t) => {
  const options = (embedded: Partial<Record<FlagName, string>>) => connectionOptions(flagsOf(embedded)).options;
  t.like(options({}), { host: '127.0.0.1', port: 6379, db: 0 });
  t.like(options({ redis_host: 'h', redis_port: '1', redis_db: '2', redis_user: 'u', redis_password: 'p' }), {
    host: 'h',
    port: 1,
    db: 2,
    username: 'u',
    password: 'p',
  });
  t.like(options({ redis_url: 'redis://u:p%40@h:1/2' }), { host: 'h', port: 1, db: 2, username: 'u', password: 'p@' });
  t.like(options({ redis_url: 'rediss://h' }), { host: 'h', port: 6379, tls: {} });
  t.like(options({ redis_url: 'unix:/run/redis.sock?db=3' }), { path: '/run/redis.sock', db: 3 });
  t.like(options({ redis_sentinels: 'a:1,b', redis_sentinel_name: 'main' }), {
    sentinels: [
      { host: 'a', port: 1 },
      { host: 'b', port: 26_379 },
    ],
    name: 'main',
  });
  t.like(options({ redis_sentinels: 'a:1', redis_tls: 'true' }), {
    enableTLSForSentinelMode: true,
    sentinelTLS: {},
    tls: {},
  });
  t.like(options({ redis_url: 'redis://[::1]:7/2' }), { host: '::1', port: 7, db: 2 });
  t.like(options({ redis_url: 'unix:/my dir/a%23b?db=3' }), { path: '/my dir/a#b', db: 3 });
  t.like(options({ redis_host: '[::1]', redis_port: '7' }), { host: '::1', port: 7 });
  t.like(options({ redis_host: '::1' }), { host: '::1' });
  t.like(options({ redis_sentinels: '[::1]:7,::2,[::3]' }), {
    sentinels: [
      { host: '::1', port: 7 },
      { host: '::2', port: 26_379 },
      { host: '::3', port: 26_379 },
    ],
  });
  for (const more of [{ redis_tls: 'true' }, {}, { redis_url: 'redis://h' }, { redis_url: 'unix:/run/redis.sock' }]) {
    const given = { redis_tls_ca: '/nonexistent', ...more };
    t.throws(() => options(given), { code: 'InvalidFlags', message: /redis_tls_ca = "\/nonexistent" cannot be read/ });
  }
  t.throws(() => options({ redis_url: 'http://h' }), {
    code: 'InvalidFlags',
    message: /redis:\/\/, rediss:\/\/ or unix:/,
  });
  const { where } = connectionOptions(flagsOf({ redis_url: 'redis://u:secret@h' }));
  t.is(where, 'h:6379', 'no secret in what errors show');
  t.is(connectionOptions(flagsOf({ redis_url: 'redis://[::1]' })).where, '[::1]:6379');
});

test('a file that is no certificate is refused: TLS would ignore it and trust the authorities of the system', async (t) => {
  const directory = await directoryFor(t);
  for (const content of ['', 'garbage', '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n']) {
    const file = join(directory, 'ca.pem');
    await writeFile(file, content);
    t.throws(() => connectionOptions(flagsOf({ redis_tls: 'true', redis_tls_ca: file })), {
      code: 'InvalidFlags',
      message: /^redis_tls_ca = "\S+ca\.pem" is not a certificate in PEM format$/,
    });
  }
});

test('a refused password and an unreachable Redis are different errors', async (t) => {
  const server = await RedisServer.start(...'--user default off --user eve on >right ~* &* +@all'.split(' '));
  t.teardown(() => server.stop());
  const as = (redis_user: string, redis_password: string) =>
    connect(flagsOf({ redis_url: server.url, redis_user, redis_password }), silentLog);
  await t.throwsAsync(as('eve', 'wrong'), { code: 'RedisDenied' });
  await t.throwsAsync(as('', ''), { code: 'RedisDenied' });
  const connection = await as('eve', 'right');
  t.is(await connection.redis.ping(), 'PONG');
  await connection.close();
  await t.throwsAsync(connect(flagsOf({ redis_url: 'unix:/no/such.sock' }), silentLog), { code: 'RedisUnreachable' });
});

test('TLS: the certificate is checked', async (t) => {
  const directory = await directoryFor(t);
  const [key, certificate] = [join(directory, 'key'), join(directory, 'certificate')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  await execa('openssl', [
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    'rsa:2048',
    '-days',
    '2',
    ...subject,
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  const port = String(await freePort());
  const tls = ['--tls-port', port, '--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no'];
  const server = await RedisServer.start('--bind', '127.0.0.1', ...tls, '--tls-ca-cert-file', certificate);
  t.teardown(() => server.stop());
  const redis_url = `rediss://localhost:${port}`;
  await t.throwsAsync(connect(flagsOf({ redis_url }), silentLog), { message: /self.signed certificate/ });
  const connection = await connect(flagsOf({ redis_url, redis_tls_ca: certificate }), silentLog);
  t.is(await connection.redis.ping(), 'PONG');
  await connection.close();
});

test('the primary is found through Sentinels', async (t) => {
  const [port, sentinelPort] = [String(await freePort()), String(await freePort())];
  const server = await RedisServer.start('--bind', '127.0.0.1', '--port', port);
  t.teardown(() => server.stop());
  const file = join(await directoryFor(t), 'sentinel.conf');
  await writeFile(file, `port ${sentinelPort}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 ${port} 1\n`);
  const sentinel = execa('redis-server', [file, '--sentinel'], { reject: false, stdio: 'ignore' });
  t.teardown(async () => {
    sentinel.kill('SIGKILL');
    await sentinel;
  });
  const flags = flagsOf({ redis_sentinels: `127.0.0.1:${sentinelPort}`, redis_sentinel_name: 'main' });
  const connection = await until(() => connect(flags, silentLog), 'the Sentinel answers');
  t.regex(await connection.redis.info('server'), new RegExp(`tcp_port:${port}`));
  await connection.close();
});

test('the loss and the return of Redis are logged once each', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const lines: string[] = [];
  const log: Log = { ...silentLog, error: (line) => lines.push(line), info: (line) => lines.push(line) };
  const connection = await connect(flagsOf({ redis_url: server.url }), log);
  t.teardown(() => connection.close());
  const store = new Store(connection, 'test');
  await server.down();
  await until(() => lines.length > 0, 'its going is logged');
  for (let count = 0; count < 3; count += 1) {
    await t.throwsAsync(
      store.read((redis) => redis.ping()),
      { code: 'RedisUnreachable' },
    );
  }
  await server.up();
  await until(() => store.read((redis) => redis.ping()), 'it answers again');
  t.deepEqual(
    lines.map((line) => line.replace(server.socket, 'SOCKET')),
    ['Redis at SOCKET is unreachable: the connection was closed', 'Redis at SOCKET is reachable again'],
  );
});

/** Returns the log of a connection: its lines, the hints behind them. */
function linesOf(): { lines: string[]; log: Log } {
  const lines: string[] = [];
  const write = (line: string, more: { hint?: unknown } = {}) => lines.push(`${line} (${String(more.hint)})`);
  return { lines, log: { ...silentLog, error: write, info: write } };
}

test('the reason of an earlier loss is not logged for a later one', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const { lines, log } = linesOf();
  const connection = await connect(flagsOf({ redis_url: server.url }), log);
  t.teardown(() => connection.close());
  for (let count = 0; count < 2; count += 1) {
    const before = lines.length;
    await server.down();
    await until(() => lines.length > before, 'its going is logged');
    t.regex(lines[before] ?? '', /is unreachable: the connection was closed/);
    const reason = () => connection.explain(new Error('Connection is closed.')).message;
    await until(() => reason().includes('ENOENT'), 'an attempt to connect has failed for another reason');
    await server.up();
    await until(() => !connection.isAway, 'it is back');
  }
});

test('a connection whose database is refused is never used', async (t) => {
  const server = await RedisServer.start('--user', 'eve', 'on', '>secret', '~*', '&*', '+@all');
  t.teardown(() => server.stop());
  const flags = { redis_url: `unix:${server.socket}?db=3`, redis_user: 'eve', redis_password: 'secret' };
  const { lines, log } = linesOf();
  const connection = await connect(flagsOf(flags), log);
  t.teardown(() => connection.close());
  const store = new Store(connection, 'test');
  const another = await connection.another();
  const admin = await connect(flagsOf({ redis_url: server.url }), silentLog);
  t.teardown(() => admin.close());
  const database = async (redis: typeof another) => /db=(\d+)/.exec(await redis.client('INFO'))?.[1];
  t.is(await database(connection.redis), '3');
  await admin.redis.acl('SETUSER', 'eve', '-select');
  await admin.redis.call('CLIENT', 'KILL', 'SKIPME', 'yes', 'TYPE', 'NORMAL');
  await until(() => lines.some((line) => line.includes('denied access')), 'the refusal is logged');
  for (let count = 0; count < 50; count += 1) {
    await t.throwsAsync(
      store.read((redis) => redis.set('key', 'value')),
      { code: 'RedisDenied' },
    );
    await t.throwsAsync(another.set('key', 'value'));
    await until(() => true, 'a turn', 10);
  }
  t.is(await admin.redis.dbsize(), 0, 'nothing was written to database 0');
  await t.throwsAsync(connect(flagsOf(flags), silentLog), { code: 'RedisDenied' });
  await admin.redis.acl('SETUSER', 'eve', '+select');
  await until(() => !connection.isAway && another.status === 'ready', 'it is back');
  t.is(await database(connection.redis), '3');
  t.is(await database(another), '3');
});

test('a connection whose database is refused later than a command may take is never used', async (t) => {
  const directory = await directoryFor(t);
  const socket = join(directory, 'fake');
  const sent: string[] = [];
  /** A fake: it answers in order, to SELECT after half a second. */
  const server = createServer((client) => {
    let answered = Promise.resolve();
    client.on('error', () => {});
    client.on('data', (chunk) => {
      for (const [, name = ''] of chunk.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        sent.push(name.toLowerCase());
        answered = answered
          .then(() => (name.toLowerCase() === 'select' ? pause(500) : undefined))
          .then(() => void (client.writable && client.write(answers[name.toLowerCase()] ?? '+OK\r\n')));
      }
    });
  }).listen(socket);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const answers: Record<string, string> = {
    hello: '%1\r\n$5\r\nproto\r\n:3\r\n',
    select: '-ERR DB index is out of range\r\n',
    info: '$0\r\n\r\n',
  };
  const { options, where } = connectionOptions(flagsOf({ redis_url: `unix:${socket}?db=3` }));
  const connection = new Connection(new Redis({ ...options, commandTimeout: 200 }), options, where, silentLog);
  await t.throwsAsync(connection.open(), { code: 'RedisUnreachable' });
  await pause(1000);
  t.false(sent.includes('info'), sent.join(' '));
});

test('a database that Redis does not have is an invalid flag', async (t) => {
  const server = await RedisServer.start('--databases', '4');
  t.teardown(() => server.stop());
  await t.throwsAsync(connect(flagsOf({ redis_url: `unix:${server.socket}?db=99` }), silentLog), {
    code: 'InvalidFlags',
    message: /^redis_db = 99: Redis at .* has no such database$/,
  });
  const connection = await connect(flagsOf({ redis_url: `unix:${server.socket}?db=3` }), silentLog);
  await connection.close();
});

test('a password that is rotated under a connection is the reason that is logged and thrown', async (t) => {
  const server = await RedisServer.start('--user', 'eve', 'on', '>old', '~*', '&*', '+@all');
  t.teardown(() => server.stop());
  const { lines, log } = linesOf();
  const connection = await connect(flagsOf({ redis_url: server.url, redis_user: 'eve', redis_password: 'old' }), log);
  t.teardown(() => connection.close());
  const admin = await connect(flagsOf({ redis_url: server.url }), silentLog);
  t.teardown(() => admin.close());
  await admin.redis.acl('SETUSER', 'eve', 'resetpass', '>new');
  await admin.redis.call('CLIENT', 'KILL', 'SKIPME', 'yes', 'TYPE', 'NORMAL');
  await until(() => lines.some((line) => line.includes('WRONGPASS')), 'the refusal is logged');
  const store = new Store(connection, 'test');
  const ping = () => store.read((redis) => redis.ping());
  await t.throwsAsync(ping, { code: 'RedisDenied', message: /WRONGPASS/ });
  t.is(lines.filter((line) => line.includes('WRONGPASS')).length, 1, lines.join('\n'));
  t.regex(lines.join('\n'), /denied access: WRONGPASS .*\(set redis_user and redis_password/);
  await admin.redis.acl('SETUSER', 'eve', '>old');
  await until(
    () =>
      ping().then(
        (answer) => answer === 'PONG',
        () => false,
      ),
    'it answers again',
  );
});

test('a Redis without a place for another client says so', async (t) => {
  const server = await RedisServer.start('--maxclients', '1');
  t.teardown(() => server.stop());
  const first = await until(
    () => connect(flagsOf({ redis_url: server.url }), silentLog).catch(() => undefined),
    'a place',
  );
  t.teardown(() => first.close());
  const error = await t.throwsAsync(connect(flagsOf({ redis_url: server.url }), silentLog), {
    code: 'RedisUnreachable',
    message: /max number of clients|EPIPE|ECONNRESET/,
  });
  t.regex(String(Reflect.get(error, 'hint')), /maxclients/);
});

test('TLS to a port without it is named', async (t) => {
  const port = String(await freePort());
  const server = await RedisServer.start('--bind', '127.0.0.1', '--port', port);
  t.teardown(() => server.stop());
  const { options, where } = connectionOptions(flagsOf({ redis_url: `rediss://127.0.0.1:${port}` }));
  // Redis does not answer a TLS greeting.
  const connection = new Connection(new Redis({ ...options, connectTimeout: 500 }), options, where, silentLog);
  const error = await t.throwsAsync(connection.open(), { code: 'RedisUnreachable' });
  t.regex(String(Reflect.get(error, 'hint')), /no TLS/);
});

test('a primary that is made a replica is the reason that is logged and thrown', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const { lines, log } = linesOf();
  const connection = await connect(flagsOf({ redis_url: server.url }), log);
  t.teardown(() => connection.close());
  const store = new Store(connection, 'test');
  const acquire = () =>
    acquireLease(store, { node: 'n1', holder: 'holder', leaseMs: 1000, incarnation: 'a', tokenBefore: '' });
  await connection.redis.call('REPLICAOF', '127.0.0.1', '1');
  const replica = { code: 'RedisUnreachable', message: /: READONLY / };
  const attempts = await Promise.all([t.throwsAsync(acquire, replica), t.throwsAsync(acquire, replica)]);
  attempts.push(await t.throwsAsync(acquire, replica));
  for (const error of attempts) t.regex(String(Reflect.get(error, 'hint')), /is a replica/);
  await until(() => lines.length > 0, 'it is logged');
  t.regex(lines[0] ?? '', /READONLY .*\(this Redis is a replica/);
});

test('scripts work after SCRIPT FLUSH', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const connection = await connect(flagsOf({ redis_url: server.url }), silentLog);
  t.teardown(() => connection.close());
  const store = new Store(connection, 'test');
  const acquire = (incarnation: string) =>
    acquireLease(store, { node: 'n1', holder: 'holder', leaseMs: 1000, incarnation, tokenBefore: '' });
  t.like(await acquire('a'), { word: 'ok' });
  await connection.redis.script('FLUSH');
  const again = await acquire('b');
  t.regex(again.word === 'ok' ? again.token : again.word, /^\d+-b$/);
});

test('a Redis that refuses changes, as it cannot save or lacks replicas, is reported', async (t) => {
  const server = await RedisServer.start();
  t.teardown(() => server.stop());
  const connection = await connect(flagsOf({ redis_url: server.url }), silentLog);
  t.teardown(() => connection.close());
  const problems = async () => (await persistenceProblems(new Store(connection, 'test'))).map(({ message }) => message);
  t.deepEqual(await problems(), []);
  await connection.redis.config('SET', 'min-replicas-to-write', '1');
  t.regex((await problems()).join('\n'), /^Redis lacks replicas that follow it: it refuses changes/);
  await connection.redis.config('SET', 'min-replicas-to-write', '0');
  await mkdir(join(server.directory, 'dump.rdb'));
  await connection.redis.bgsave();
  const failed = async () => /rdb_last_bgsave_status:err/.test(await connection.redis.info('persistence'));
  await until(failed, 'the snapshot has failed');
  t.regex((await problems()).join('\n'), /^Redis could not write its last snapshot: it may refuse changes/);
  const full = new Map([
    ['aof_enabled', '1'],
    ['aof_last_write_status', 'err'],
  ]);
  t.regex(refusalProblem(full)?.message ?? '', /^Redis cannot write its append-only file: it refuses changes/);
});

test('a Redis that would lose records is reported', async (t) => {
  const server = await RedisServer.start(
    '--appendonly',
    'no',
    '--maxmemory',
    '100mb',
    '--maxmemory-policy',
    'allkeys-lru',
  );
  t.teardown(() => server.stop());
  const connection = await connect(flagsOf({ redis_url: server.url }), silentLog);
  t.teardown(() => connection.close());
  const problems = await persistenceProblems(new Store(connection, 'test'));
  t.is(problems.length, 2);
  t.regex(
    problems.map(({ message }) => message).join('\n'),
    /neither an append-only file nor a replica[\s\S]*maxmemory-policy allkeys-lru/,
  );
});
