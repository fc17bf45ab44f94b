import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { z } from 'zod';
import { silentLog } from '../../../lib/log.ts';
import { Api, type ApiOptions } from '../../../services/api/api.ts';
import { clientTimes } from '../../../services/api/time-limits.ts';
import { type ApiAnswer, ApiClient } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { newAuthority, newCertificate } from '../../support/certificates.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
test.before(async () => {
  cluster = await Cluster.start();
});
test.after.always(() => cluster.close());

interface Served {
  client: ApiClient;
  port: number;
}

/** An API that ends with the test. */
async function serve(
  t: ExecutionContext,
  given: Parameters<Cluster['flags']>[0],
  options: Partial<ApiOptions> = {},
): Promise<Served> {
  const flags = cluster.flags({ api_listen: '127.0.0.1:0', ...given });
  const api = new Api({ flags, store: await cluster.store(flags), log: silentLog, ...options });
  await api.start();
  t.teardown(() => api.stop());
  const [url = ''] = api.urls;
  return { client: new ApiClient(url), port: Number(new URL(url).port) };
}

const errorSchema = z.record(z.string(), z.object({ code: z.int(), message: z.string() }));

function messageOf({ body }: Pick<ApiAnswer, 'body'>): string {
  return Object.values(errorSchema.parse(body))[0]?.message ?? '';
}

/** Every command to Redis waits for so long. */
async function holdRedis(ms: number): Promise<void> {
  const store = await cluster.store();
  await store.redis.call('CLIENT', 'PAUSE', String(ms));
}

const volumes = '/v3/volumes';
const as = (client: ApiClient, user: string) => client.with({ 'x-auth-token': `${user}:p1` });

/** Returns what the server sends until it closes or resets the connection. */
async function received(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (part: Buffer) => {
    text += part.toString();
  });
  socket.on('error', () => {});
  await new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  return text;
}

/** Returns the answers to requests that are sent at once, with the lowest status first. */
async function atOnce(requests: readonly Promise<ApiAnswer>[]): Promise<{ statuses: number[]; last: ApiAnswer }> {
  const answers = (await Promise.all(requests)).toSorted((one, other) => one.status - other.status);
  const last = answers.at(-1);
  if (!last) throw new Error('there are no requests');
  return { statuses: answers.map(({ status }) => status), last };
}

test('a caller that sends too many requests is asked to wait, and others are served', async (t) => {
  const { client } = await serve(t, { api_rate_limit: '1', api_rate_burst: '3' });
  const ann = as(client, 'ann');
  const { statuses, last } = await atOnce(Array.from({ length: 30 }, () => ann.get(volumes)));
  t.deepEqual(statuses.slice(0, 3), [200, 200, 200]);
  t.is(last.status, 429);
  t.is(last.headers.get('retry-after'), '1');
  t.regex(messageOf(last), /too many requests from this caller/);
  t.is((await as(client, 'bob').get(volumes)).status, 200);
  await until(async () => (await ann.get(volumes)).status === 200, 'the next request is served');
});

test('requests without a valid token are counted by address, and take nothing from those who have one', async (t) => {
  const { close, as: role } = await startApiWithRoles(cluster, { api_rate_limit: '1', api_rate_burst: '2' });
  t.teardown(close);
  const member = role('p1', 'member');
  const stranger = member.with({ 'x-auth-token': 'guess' });
  const { statuses, last } = await atOnce(Array.from({ length: 30 }, () => stranger.get(volumes)));
  t.deepEqual(statuses.slice(0, 2), [401, 401]);
  t.is(last.status, 429);
  t.is((await member.get(volumes)).status, 200);
});

test('sign-ins are counted by address', async (t) => {
  const { client } = await serve(t, { auth_strategy: 'local', api_rate_limit: '1', api_rate_burst: '3' });
  const user = { name: 'nobody', password: 'a wrong password' };
  const body = { auth: { identity: { methods: ['password'], password: { user } } } };
  const signIns = Array.from({ length: 12 }, () => client.post('/identity/v3/auth/tokens', body));
  const { last, statuses } = await atOnce(signIns);
  t.is(statuses[0], 401);
  t.is(last.status, 429);
  t.regex(JSON.stringify(last.body), /too many requests from this caller/);
});

test.serial('requests under way of one caller are bounded', async (t) => {
  const { client } = await serve(t, { api_max_requests_per_caller: '2' });
  const ann = as(client, 'ann');
  t.is((await ann.get(volumes)).status, 200);
  await holdRedis(2000);
  const { statuses, last } = await atOnce([1, 2, 3].map(() => ann.get(volumes)));
  t.deepEqual(statuses, [200, 200, 429]);
  t.is(last.headers.get('retry-after'), '1');
  t.regex(messageOf(last), /2 requests of this caller are under way/);
  t.is((await ann.get(volumes)).status, 200);
});

test.serial('requests under way are bounded altogether, and the page is served beside them', async (t) => {
  const { client } = await serve(t, { api_max_requests: '2' });
  t.is((await client.get(volumes)).status, 200);
  await holdRedis(2000);
  const held = atOnce(['ann', 'bob', 'eve'].map((user) => as(client, user).get(volumes)));
  t.is((await fetch(client.url, { headers: { accept: 'text/html' } })).status, 200);
  const { statuses, last } = await held;
  t.deepEqual(statuses, [200, 200, 503]);
  t.is(last.headers.get('retry-after'), '1');
  t.is((await client.get(volumes)).status, 200);
});

test.serial('a request that takes longer than api_timeout is answered', async (t) => {
  const { client } = await serve(t, { api_timeout: '1' });
  t.is((await client.get(volumes)).status, 200);
  await holdRedis(7000);
  const began = performance.now();
  const answer = await client.get(volumes);
  t.true(performance.now() - began < 6500, `${performance.now() - began} ms`);
  t.is(answer.status, 503);
  t.true(answer.headers.has('retry-after'));
  t.regex(messageOf(answer), /was not answered within 1 s, and continues in the background/);
  await until(async () => (await client.get(volumes)).status === 200, 'it is served again');
});

const fast = { headerMs: 300, requestMs: 600, checkMs: 50, answerMs: 300, answerBytesPerMs: 1e6 };

test('clients that send their header or their body slowly are cut off, with an answer', async (t) => {
  const { port } = await serve(t, {}, { times: fast });
  const header = 'POST /v3/volumes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  for (const [start, rest] of [
    ['GET /v3/volumes HTTP/1.1\r\n', 'X-A: b\r\n'],
    [`${header}Content-Length: 5000\r\n\r\n`, '"'],
    [`${header}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n"\r\n'],
  ] as const) {
    const socket = connect(port, '127.0.0.1');
    const answer = received(socket);
    socket.write(start);
    const drip = setInterval(() => socket.writable && socket.write(rest), 40);
    const began = performance.now();
    const text = await answer;
    clearInterval(drip);
    t.regex(text, /^HTTP\/1\.1 408 [^]*"requestTimeout"/, start);
    t.true(performance.now() - began < 14_000);
  }
  const silent = connect(port, '127.0.0.1');
  const began = performance.now();
  await received(silent);
  t.true(performance.now() - began < 14_000, 'a connection without a request is closed');
});

test('a client that does not read its answers is cut off', async (t) => {
  const { port } = await serve(t, {}, { times: fast });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
  socket.pause();
  // Far more than the buffers between both.
  socket.write('GET /v3/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200));
  const probe = setInterval(() => socket.write('\r\n'), 50);
  t.teardown(() => clearInterval(probe));
  await Promise.race([closed, pause(20_000, undefined, { ref: false }).then(() => t.fail('it is connected yet'))]);
  t.pass();
});

test('a client that reads slowly, and fast enough, gets its answer', async (t) => {
  const { port } = await serve(t, {}, { times: { ...clientTimes, checkMs: 50 } });
  const socket = connect(port, '127.0.0.1');
  socket.end('GET /v3/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  let bytes = 0;
  for await (const part of socket) {
    bytes += Buffer.byteLength(part);
    if (bytes < 500_000) await pause(20);
  }
  t.true(bytes > 100_000);
});

test('an address has so many connections, and gets others when it closes some', async (t) => {
  const { port, client } = await serve(t, { api_max_connections_per_address: '3' });
  const open = await Promise.all(
    [1, 2, 3].map(async () => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    }),
  );
  const refused = await received(connect(port, '127.0.0.1'));
  t.regex(refused, /^HTTP\/1\.1 429 [^]*3 connections of this address are open/);
  t.regex(refused, /retry-after: \d/);
  open[0]?.destroy();
  await until(
    async () =>
      (await fetch(`${client.url}${volumes}`, { headers: { connection: 'close' } }).catch(() => undefined))?.ok,
    'a further connection is served',
  );
  for (const socket of open) socket.destroy();
});

test('by TLS, connections beyond the bound of an address are closed', async (t) => {
  const authority = await newAuthority(cluster.directory);
  const { cert, key } = await newCertificate(cluster.directory, 'limits', authority);
  const { port } = await serve(t, { api_max_connections_per_address: '1', api_tls_cert: cert, api_tls_key: key });
  const open = connect(port, '127.0.0.1');
  await once(open, 'connect');
  t.is(await received(connect(port, '127.0.0.1')), '');
  open.destroy();
});
