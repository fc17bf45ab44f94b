import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { z } from 'zod';
import { silentLog } from '../../../lib/log.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiClient, startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';

let cluster: Cluster;
let api: Api;
let client: ApiClient;
test.before(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  ({ api, client } = await startApi(cluster));
});
test.after.always(async () => {
  await api.stop();
  await cluster.close();
});

const oneSchema = z.object({ volume: z.looseObject({ id: z.string() }) });
const errorSchema = z.record(z.string(), z.object({ code: z.int(), message: z.string() }));

async function create(body: object = {}): Promise<string> {
  const answer = await client.post('/v3/p1/volumes', { volume: { size: 1, ...body } });
  return `/v3/p1/volumes/${oneSchema.parse(answer.body).volume.id}`;
}

/** Returns the status and the body that the server answers to bytes that no library sends. */
async function send(bytes: string): Promise<{ status: number; body: unknown }> {
  const socket = connect(Number(new URL(client.url).port), '127.0.0.1');
  socket.end(bytes);
  const answer = await text(socket);
  const [header = '', body = ''] = answer.split('\r\n\r\n');
  return { status: Number(header.split(' ')[1]), body: JSON.parse(body) };
}

test('a metadata key that every object has is set, shown, replaced and removed like others', async (t) => {
  const volume = await create();
  for (const key of ['constructor', 'toString', 'hasOwnProperty']) {
    const path = `${volume}/metadata/${key}`;
    t.is((await client.get(path)).status, 404, key);
    t.is((await client.delete(path)).status, 404, key);
    t.is((await client.put(path, { meta: { a: 'b' } })).status, 400, key);
    t.deepEqual((await client.put(path, { meta: { [key]: 'x' } })).body, { meta: { [key]: 'x' } });
    t.deepEqual((await client.get(path)).body, { meta: { [key]: 'x' } });
    t.deepEqual((await client.put(`${volume}/metadata`, { metadata: { a: '1' } })).body, { metadata: { a: '1' } });
  }
  t.is((await client.get(`${volume}/metadata/__proto__`)).status, 404);
});

test('a body with a key __proto__ is refused', async (t) => {
  const volume = await create();
  const bodies = [
    '{"metadata": {"__proto__": "x"}}',
    '{"__proto__": {"metadata": {"a": "1"}}, "metadata": {}}',
    String.raw`{"metadata": {"__\u0070roto__": "x", "a": "\u00e4"}}`,
  ];
  for (const body of bodies) {
    const answer = await client.post(`${volume}/metadata`, body);
    t.is(answer.status, 400, body);
    t.regex(JSON.stringify(answer.body), /no key may be __proto__/, body);
  }
  const filtered = await client.get(`/v3/p1/volumes?metadata=${encodeURIComponent('{"__proto__": "x"}')}`);
  t.is(filtered.status, 400);
  t.regex(JSON.stringify(filtered.body), /no key may be __proto__/);
  const [value, escaped] = ['__proto__', String.raw`"\u00e4"`];
  const set = await client.post(`${volume}/metadata`, `{"metadata": {"a": "${value}", "b": ${escaped}}}`);
  t.deepEqual(set.body, { metadata: { a: value, b: 'ä' } }, 'a value is no key');
});

test('a number that is too large is answered with the largest that it can be', async (t) => {
  const huge = '99999999999999999999';
  const asked: [string, RegExp][] = [
    [`/v3/p1/volumes?limit=${huge}`, /limit: must be at most 999999999; GET/],
    [`/v3/p1/volumes?offset=${huge}`, /offset: must be at most 999999999; GET/],
    [`/v3/p1/volumes?limit=1.5`, /limit: must be a whole number; GET/],
    [`/v3/p1/os-services?limit=${huge}`, /limit: must be at most 999999999; GET/],
  ];
  for (const [path, message] of asked) {
    const answer = await client.get(path);
    t.is(answer.status, 400, path);
    t.regex(JSON.stringify(answer.body), message, path);
  }
  for (const size of [huge, `"${huge}"`]) {
    const created = await client.post('/v3/p1/volumes', `{"volume": {"size": ${size}}}`);
    t.regex(JSON.stringify(created.body), /volume.size: must be a whole number of GiB from 1 to 1000; GET/, size);
  }
  const quota = await client.put('/v3/p1/os-quota-sets/p2', `{"quota_set": {"volumes": ${huge}}}`);
  t.regex(JSON.stringify(quota.body), /quota_set.volumes: must be at most 9007199254740991; /);
});

test('of what can have several forms the answer says what is wrong with the form that was meant', async (t) => {
  const volume = await create();
  const hinted = { volume: { size: 1 }, 'OS-SCH-HNT:scheduler_hints': { same_host: 'x' } };
  const asked: [string, object, RegExp][] = [
    [`${volume}/action`, { 'os-detach': { attachment_id: 'nosuch' } }, /"attachment_id: must be a UUID; GET/],
    [`${volume}/action`, { 'os-force_detach': { attachment_id: 3 } }, /"attachment_id: must be a UUID; GET/],
    [`${volume}/action`, { 'os-detach': { other: 'x' } }, /"os-detach: Unrecognized key/],
    ['/v3/p1/volumes', { volume: { size: 1, imageRef: 'x' } }, /"volume.imageRef: must be a UUID; GET/],
    ['/v3/p1/volumes', { volume: { size: 1, backup_id: 'x'.repeat(256) } }, /"volume.backup_id: Too big/],
    ['/v3/p1/volumes', hinted, /same_host: must be a UUID; GET/],
  ];
  for (const [path, body, message] of asked) {
    const answer = await client.post(path, body);
    t.is(answer.status, 400, JSON.stringify(body));
    t.regex(JSON.stringify(answer.body), message);
  }
});

test('a name in a path has up to 255 characters, as they are sent', async (t) => {
  const key = 'ä'.repeat(127);
  const volume = await create({ metadata: { [key]: 'x' } });
  t.deepEqual((await client.get(`${volume}/metadata/${encodeURIComponent(key)}`)).body, { meta: { [key]: 'x' } });
  t.is((await client.get(`/v3/p1/volumes/${encodeURIComponent('😀'.repeat(255))}`)).status, 404);
});

test('what is no request gets an error of the API, and ends its connection', async (t) => {
  const requests: [string, number, string][] = [
    ['GET /v3/volumes HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'badRequest'],
    ['hello\r\n\r\n', 400, 'badRequest'],
    [`GET / HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`, 431, 'overLimit'],
    ['GET /v3/%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400, 'badRequest'],
  ];
  for (const [bytes, status, name] of requests) {
    const answer = await send(bytes);
    t.is(answer.status, status, bytes.slice(0, 60));
    t.is(errorSchema.parse(answer.body)[name]?.code, status);
  }
});

test('a client that goes before its body is complete is not logged as a failure', async (t) => {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const own = await startApi(cluster, {}, { ...silentLog, error: note, warn: note });
  const socket = connect(Number(new URL(own.client.url).port), '127.0.0.1');
  socket.resume();
  socket.end(
    'POST /v3/p1/volumes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"volume": ',
  );
  await once(socket, 'close');
  await own.api.stop();
  t.deepEqual(logged, []);
});
