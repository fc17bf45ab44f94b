import { randomUUID } from 'node:crypto';
import test from 'ava';
import { z } from 'zod';
import { transfersOf } from '../../../lib/models/transfer.ts';
import { calls } from '../../../services/api/calls/index.ts';
import { newest } from '../../../services/api/microversion.ts';
import { object } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { LocalApi, testPassword } from '../../support/identity.ts';
import { type PolicyPlace, policyPlace } from './policy/place.ts';
import { own, requestOf } from './policy/requests.ts';
import { keyOf, trialsOf } from './policy/trials.ts';

let place: PolicyPlace;
test.before(async () => {
  place = await policyPlace();
});
test.after.always(() => place.close());

/** What goes on changes meanwhile. */
const volatile = new Set([
  'status',
  'updated_at',
  'auth_key',
  'attach_status',
  'os-extended-snapshot-attributes:progress',
  'migration_status',
]);

/** Returns an answer without what changes by itself. */
function lasting(answer: unknown): unknown {
  if (Array.isArray(answer)) return answer.map(lasting);
  const { data } = object.safeParse(answer);
  if (!data) return answer;
  const kept = Object.entries(data).filter(([name]) => !volatile.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, lasting(value)]));
}

test('a POST that is repeated with the same Idempotency-Key has the same answer', async (t) => {
  for (const call of calls) {
    if (call.method !== 'POST' || call.action !== undefined || call.answer instanceof z.ZodNever) continue;
    for (const trial of trialsOf(call) ?? []) {
      if (trial.status !== undefined || call.name === 'transfer:accept') continue;
      const { request } = await requestOf(place, call, trial, { path: 'own', ids: 'own' });
      const version = Math.min(call.until ?? newest, newest);
      const client = place.roles.as(own, 'admin').version(version).with({ 'Idempotency-Key': randomUUID() });
      const first = await client.post(request.path, request.body);
      t.is(first.status, call.status, keyOf(call));
      const second = await client.post(request.path, request.body);
      t.is(second.status, first.status, `${keyOf(call)}: ${JSON.stringify(second.body)}`);
      t.deepEqual(lasting(second.body), lasting(first.body), keyOf(call));
    }
  }
});

test('requests that are sent at the same time with the same key make one object', async (t) => {
  const client = place.roles.as('p7', 'admin').version(newest).with({ 'Idempotency-Key': 'at once' });
  const list = z.object({ volumes: z.array(z.unknown()) });
  const sent = Array.from({ length: 10 }, () => client.post('/v3/volumes', { volume: { size: 1 } }));
  const ids = (await Promise.all(sent)).map(({ status, body }) => {
    t.is(status, 202);
    return z.object({ volume: z.looseObject({ id: z.string() }) }).parse(body).volume.id;
  });
  t.is(new Set(ids).size, 1);
  t.is(list.parse((await client.get('/v3/volumes')).body).volumes.length, 1);
});

test('the same key with another request is refused, and with another caller means another object', async (t) => {
  const key = { 'Idempotency-Key': 'again' };
  const ann = place.roles.as('p5', 'member').version(newest).with(key);
  const bob = place.roles.as('p6', 'member').version(newest).with(key);
  t.is((await ann.post('/v3/volumes', { volume: { size: 1 } })).status, 202);
  t.is((await ann.post('/v3/volumes', { volume: { size: 2 } })).status, 409);
  t.is((await bob.post('/v3/volumes', { volume: { size: 2 } })).status, 202);
  t.is((await ann.with({ 'Idempotency-Key': '' }).post('/v3/volumes', { volume: { size: 1 } })).status, 400);
});

test('a transfer that is asked for again has another key, which takes the place of the first', async (t) => {
  const client = place.roles.as(own, 'member').version(newest).with({ 'Idempotency-Key': 'offer' });
  const volume = await place.volume(own);
  const schema = z.object({ transfer: z.looseObject({ id: z.string(), auth_key: z.string() }) });
  const offer = async (more: object = {}) =>
    client.post('/v3/volume-transfers', { transfer: { volume_id: volume, name: 'a', ...more } });
  const { transfer: first } = schema.parse((await offer()).body);
  const { transfer: second } = schema.parse((await offer()).body);
  t.is(second.id, first.id);
  t.is((await offer({ name: 'b' })).status, 409);
  t.is((await offer({ volume_id: await place.volume(own) })).status, 409);
  const receiver = place.roles.as('p3', 'member').version(newest);
  const accept = (auth_key: string) =>
    receiver.post(`/v3/volume-transfers/${first.id}/accept`, { accept: { auth_key } });
  t.is((await accept(first.auth_key)).status, 404);
  t.is((await accept(second.auth_key)).status, 202);
  t.is(await transfersOf(place.store).find(first.id), undefined);
});

test('users, projects and application credentials are made once for a key', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const local = await LocalApi.start(cluster);
  t.teardown(() => local.close());
  const admin = await local.member('root', ['admin', 'member']);
  const client = (await local.as(admin)).with({ 'Idempotency-Key': 'k' });
  const idOf = (noun: string, body: unknown) => object.parse(object.parse(body)[noun])['id'];
  const credentials = `/identity/v3/users/${admin.user}/application_credentials`;
  for (const [noun, path, body] of [
    ['user', '/identity/v3/users', { user: { name: 'ann', password: testPassword } }],
    ['project', '/identity/v3/projects', { project: { name: 'web' } }],
    ['application_credential', credentials, { application_credential: { name: 'robot' } }],
  ] as const) {
    const [first, second] = [await client.post(path, body), await client.post(path, body)];
    t.deepEqual([first.status, second.status], [201, 201], `${noun} ${JSON.stringify(second.body)}`);
    t.is(idOf(noun, second.body), idOf(noun, first.body));
  }
  const again = await client.post(credentials, { application_credential: { name: 'robot' } });
  const { id, secret } = object.parse(object.parse(again.body)['application_credential']);
  const signIn = { methods: ['application_credential'], application_credential: { id, secret } };
  t.is((await local.client.post('/identity/v3/auth/tokens', { auth: { identity: signIn } })).status, 201);
});
