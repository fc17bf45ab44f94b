import { randomUUID } from 'node:crypto';
import test from 'ava';
import { z } from 'zod';
import { countFailure, forgetFailures, lockedFor } from '../../../../lib/client/identity/failures.ts';
import { updateUser } from '../../../../lib/client/identity/users.ts';
import { revokeRole } from '../../../../lib/client/identity/assignments.ts';
import { silentLog } from '../../../../lib/log.ts';
import { object } from '../../../support/api.ts';
import { Cluster } from '../../../support/cluster.ts';
import { LocalApi, testPassword as password } from '../../../support/identity.ts';

let cluster: Cluster;
let local: LocalApi;
const logged: string[] = [];
test.before(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  const note = (message: string, fields: object = {}) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  local = await LocalApi.start(cluster, {}, { ...silentLog, error: note, warn: note, info: note, debug: note });
});
test.after.always(async () => {
  await local?.close();
  await cluster?.close();
});

const tokens = '/identity/v3/auth/tokens';
const tokenSchema = z.object({ token: z.looseObject({ catalog: z.array(object).optional() }) });
const oneSchema = z.object({ volume: z.looseObject({ id: z.string() }) });

test.serial('a password gets a token with roles and catalog, by name or by id', async (t) => {
  const ann = await local.member('ann', ['member', 'reader']);
  for (const user of [
    { name: 'ann', domain: { name: 'Default' }, password },
    { name: 'ann', domain: { id: 'default' }, password },
    { id: ann.user, password },
  ]) {
    for (const scope of [{ project: { name: 'ann', domain: { id: 'default' } } }, { project: { id: ann.project } }]) {
      const answer = await local.token(user, scope);
      t.is(answer.status, 201, JSON.stringify(answer.body));
      t.is(answer.headers.get('cache-control'), 'no-store');
      t.like(tokenSchema.parse(answer.body).token, {
        methods: ['password'],
        user: { id: ann.user, name: 'ann', domain: { id: 'default', name: 'Default' } },
        project: { id: ann.project, name: 'ann' },
        roles: [{ name: 'reader' }, { name: 'member' }],
      });
    }
  }
  const { body } = await local.token({ name: 'ann', password }, { project: { name: 'ann' } });
  const { catalog = [] } = tokenSchema.parse(body).token;
  t.like(Object.fromEntries(catalog.map((entry) => [String(entry['type']), entry['endpoints']])), {
    volumev3: [{ interface: 'public', url: `${local.client.url}/v3/${ann.project}`, region_id: 'RegionOne' }],
    identity: [{ url: `${local.client.url}/identity/v3` }],
    image: [{ url: `${local.client.url}/image` }],
  });
});

test.serial('every reason of a refusal has the same answer', async (t) => {
  const bob = await local.member('bob', ['member']);
  const other = await local.member('carol', ['member']);
  const idle = await local.member('idle', ['member']);
  await updateUser(local.store, idle.user, { isEnabled: false });
  const own = { project: { id: bob.project } };
  const answers = await Promise.all([
    local.token({ name: 'bob', password: 'wrong password' }, own),
    local.token({ name: 'nobody', password }, own),
    local.token({ name: 'bob', password, domain: { id: 'elsewhere' } }, own),
    local.token({ name: 'bob', password }, { project: { id: other.project } }),
    local.token({ name: 'bob', password }, { project: { id: '0'.repeat(32) } }),
    local.token({ name: 'bob', password }, { project: { name: 'bob', domain: { id: 'elsewhere' } } }),
    local.token({ id: idle.user, password }, { project: { id: idle.project } }),
    local.client.post(tokens, { auth: { identity: { methods: ['token'], token: { id: 'bst_forged' } } } }),
  ]);
  for (const { status, headers, body } of answers) {
    t.is(status, 401);
    t.is(headers.get('www-authenticate'), `Keystone uri="${local.client.url}/identity/v3"`);
    t.deepEqual(body, answers[0].body);
  }
  t.like(answers[0].body, { error: { code: 401, title: 'Unauthorized' } });
});

test.serial('what is no request for a token is refused with its problem', async (t) => {
  const identity = { methods: ['password'], password: { user: { name: 'ann', password } } };
  for (const [auth, message] of [
    [{}, /auth\.identity/],
    [{ identity: { methods: [] } }, /one method/],
    [{ identity: { methods: ['saml2'] } }, /methods/],
    [{ identity: { methods: ['token'] } }, /token is missing/],
    [{ identity: { methods: ['password'], password: { user: { password } } } }, /id or name is missing/],
    [{ identity, scope: { system: { all: true } } }, /no tokens for a domain or for the system/],
    [{ identity, scope: { domain: { id: 'default' } } }, /no tokens for a domain or for the system/],
  ] as const) {
    const { status, body } = await local.client.post(tokens, { auth });
    t.is(status, 400, JSON.stringify(auth));
    t.regex(JSON.stringify(body), message);
  }
  t.is((await local.client.post(tokens, '{')).status, 400);
  t.is((await local.client.get('/identity/v3/nothing')).status, 404);
});

test.serial(
  'without a scope a token is for the project of the user, or for none, which serves no volumes',
  async (t) => {
    const dan = await local.member('dan', ['member']);
    const none = await local.token({ name: 'dan', password });
    t.is(none.status, 201);
    t.is(tokenSchema.parse(none.body).token['project'], undefined);
    t.is(tokenSchema.parse(none.body).token.catalog, undefined);
    const unscoped = local.client.with({ 'x-auth-token': none.headers.get('x-subject-token') ?? '' });
    for (const path of ['/v3/volumes', '/image/v2/images', `/image/v2/images/${randomUUID()}`]) {
      const { status, body } = await unscoped.get(path);
      t.is(status, 403, path);
      t.regex(JSON.stringify(body), /requires a project, and the token has none/, path);
    }
    t.is((await unscoped.get(`/v3/${dan.project}/volumes`)).status, 403);
    t.like((await unscoped.get('/identity/v3/auth/projects')).body, { projects: [{ id: dan.project, name: 'dan' }] });
    await updateUser(local.store, dan.user, { defaultProject: dan.project });
    const own = await local.token({ name: 'dan', password });
    t.like(tokenSchema.parse(own.body).token, { project: { id: dan.project } });
    const explicit = await local.token({ name: 'dan', password }, 'unscoped');
    t.is(tokenSchema.parse(explicit.body).token['project'], undefined);
  },
);

test.serial('a token gets another one, which does not live longer', async (t) => {
  const fay = await local.member('fay', ['member']);
  const first = await local.token({ name: 'fay', password });
  const id = first.headers.get('x-subject-token') ?? '';
  const second = await local.client.post(tokens, {
    auth: { identity: { methods: ['token'], token: { id } }, scope: { project: { id: fay.project } } },
  });
  t.is(second.status, 201);
  const [before, after] = [first, second].map(({ body }) => tokenSchema.parse(body).token);
  t.is(after?.['expires_at'], before?.['expires_at']);
  t.deepEqual(after?.['methods'], ['password', 'token']);
});

test.serial('the API serves the project of the token, and hides those of others', async (t) => {
  const gus = await local.member('gus', ['member']);
  const hal = await local.member('hal', ['member']);
  const [asGus, asHal] = [await local.as(gus), await local.as(hal)];
  const made = await asGus.post(`/v3/${gus.project}/volumes`, { volume: { size: 1 } });
  t.is(made.status, 202);
  const { id } = oneSchema.parse(made.body).volume;
  t.is((await asGus.get(`/v3/volumes/${id}`)).status, 200);
  const foreign = await asHal.get(`/v3/volumes/${id}`);
  const absent = await asHal.get('/v3/volumes/00000000-0000-4000-8000-000000000000');
  t.is(foreign.status, 404);
  t.deepEqual(
    JSON.stringify(foreign.body).replace(id, ''),
    JSON.stringify(absent.body).replace('00000000-0000-4000-8000-000000000000', ''),
  );
  t.is((await asHal.get(`/v3/${gus.project}/volumes`)).status, 400);
  const admin = await local.as(await local.member('root', ['admin']));
  t.like((await admin.get(`/v3/${gus.project}/volumes`)).body, { volumes: [{ id }] });
  const reader = await local.as(await local.member('ida', ['reader'], { project: gus.project }));
  t.is((await reader.get(`/v3/volumes/${id}`)).status, 200);
  t.is((await reader.post('/v3/volumes', { volume: { size: 1 } })).status, 403);
  t.is((await asGus.get('/v3/os-services')).status, 403);
  t.is((await admin.get('/v3/os-services')).status, 200);
});

test.serial('forged, revoked and expired tokens, and those of changed users, are refused', async (t) => {
  const jan = await local.member('jan', ['member', 'reader']);
  const check = async (client: Awaited<ReturnType<LocalApi['as']>>) => {
    const volumes = await client.get('/v3/volumes');
    const identity = await client.get('/identity/v3/auth/projects');
    t.is(volumes.status, identity.status);
    if (volumes.status === 401) {
      t.is(volumes.headers.get('www-authenticate'), `Keystone uri="${local.client.url}/identity/v3"`);
      t.is(identity.headers.get('www-authenticate'), `Keystone uri="${local.client.url}/identity/v3"`);
    }
    return volumes.status;
  };
  for (const forged of ['', 'x', 'admin:default', `bst_${'A'.repeat(86)}`]) {
    t.is(await check(local.client.with({ 'x-auth-token': forged })), 401, forged);
  }
  const revoked = await local.token({ name: 'jan', password }, { project: { id: jan.project } });
  const text = revoked.headers.get('x-subject-token') ?? '';
  const client = local.client.with({ 'x-auth-token': text });
  t.is(await check(client), 200);
  t.is((await client.with({ 'x-subject-token': text }).delete(tokens)).status, 204);
  t.is(await check(client), 401);
  const [second, third, fourth] = [await local.as(jan), await local.as(jan), await local.as(jan)];
  for (const key of await local.store.redis.zrange(local.store.keys.userTokens(jan.user), '0', '0')) {
    await local.store.redis.hset(local.store.keys.token(key), 'expires', String(Date.now() - 1));
  }
  const after = await Promise.all([second, third, fourth].map(check));
  t.is(after.filter((status) => status === 401).length, 1);
  t.is(after.filter((status) => status === 200).length, 2);
  await revokeRole(local.store, jan.user, jan.project, 'reader');
  t.deepEqual(await Promise.all([second, third, fourth].map(check)), [401, 401, 401]);
  const changed = await local.as(jan);
  await updateUser(local.store, jan.user, { password: 'another password' });
  t.is(await check(changed), 401);
});

test.serial('a token is shown to its user, to services and to administrators alone', async (t) => {
  const kay = await local.member('kay', ['member']);
  const answer = await local.token({ id: kay.user, password }, { project: { id: kay.project } });
  const text = answer.headers.get('x-subject-token') ?? '';
  const own = local.client.with({ 'x-auth-token': text, 'x-subject-token': text });
  const shown = await own.get(tokens);
  t.is(shown.status, 200);
  t.is(shown.headers.get('x-subject-token'), text);
  t.deepEqual(shown.body, answer.body);
  t.is(tokenSchema.parse((await own.get(`${tokens}?nocatalog`)).body).token.catalog, undefined);
  t.is((await own.send('HEAD', tokens)).status, 200);
  const foreign = await local.as(await local.member('lea', ['member']));
  t.is((await foreign.with({ 'x-subject-token': text }).get(tokens)).status, 403);
  t.is((await foreign.with({ 'x-subject-token': text }).delete(tokens)).status, 403);
  const service = await local.as(await local.member('nova', ['service']));
  t.is((await service.with({ 'x-subject-token': text }).get(tokens)).status, 200);
  t.is((await service.with({ 'x-subject-token': text }).delete(tokens)).status, 403);
  t.is((await service.with({ 'x-subject-token': 'bst_forged' }).get(tokens)).status, 404);
  t.is((await service.get(tokens)).status, 404);
});

test.serial('guesses are answered by 429 with the time to wait', async (t) => {
  await local.member('max', ['member']);
  for (let guess = 0; guess < 5; guess += 1) {
    t.is((await local.token({ name: 'max', password: `wrong password ${guess}` })).status, 401);
  }
  for (let guess = 0; guess < 5; guess += 1) await countFailure(local.store, { name: 'max' });
  const answer = await local.token({ name: 'max', password: 'wrong password' });
  t.is(answer.status, 429);
  t.regex(answer.headers.get('retry-after') ?? '', /^([1-9]|[12]\d|3[0-2])$/);
  t.is((await local.token({ name: 'max', password })).status, 429);
  t.is((await local.token({ name: 'ann', password })).status, 201);
});

test.serial('an address that guesses has to wait, whatever the names; others have not', async (t) => {
  const suspect = { address: 'address 127.0.0.1' };
  await forgetFailures(local.store, suspect);
  for (let guess = 0; guess < 29; guess += 1) await countFailure(local.store, suspect);
  t.is((await local.token({ name: 'some name', password })).status, 401);
  for (let guess = 0; guess < 5; guess += 1) await countFailure(local.store, suspect);
  t.is((await local.token({ name: 'ann', password })).status, 429);
  t.is(await lockedFor(local.store, [{ address: 'address 192.0.2.1' }]), 0);
  await forgetFailures(local.store, suspect);
  t.is((await local.token({ name: 'ann', password })).status, 201);
});

test.serial('a user of another domain is nobody, whatever the name', async (t) => {
  await local.member('ann@elsewhere', ['member']);
  const answer = await local.token({ name: 'ann', domain: { id: 'elsewhere' }, password });
  t.is(answer.status, 401);
});

test.serial('requests of one caller are limited as those of the other calls', async (t) => {
  const limited = await LocalApi.start(cluster, { api_rate_limit: '1', api_rate_burst: '3' });
  const client = limited.client.with({ 'x-auth-token': 'bst_forged' });
  const statuses: number[] = [];
  for (let request = 0; request < 5; request += 1) {
    statuses.push((await client.get('/identity/v3/auth/projects')).status);
  }
  t.deepEqual(statuses.slice(0, 3), [401, 401, 401]);
  t.is(statuses.at(-1), 429);
  await limited.close();
});

test.serial('the versions are those of Identity v3, at the address that clients know', async (t) => {
  const versions = await local.client.get('/identity');
  t.is(versions.status, 300);
  t.like(versions.body, { versions: { values: [{ id: 'v3.14', status: 'stable' }] } });
  t.like((await local.client.get('/identity/v3')).body, {
    version: { id: 'v3.14', links: [{ rel: 'self', href: `${local.client.url}/identity/v3/` }] },
  });
  const behind = await LocalApi.start(cluster, {
    api_url: 'https://volumes.example/',
    image_url: 'http://images:9292/',
  });
  const { body } = await behind.token({ name: 'ann', password }, { project: { name: 'ann' } });
  const text = JSON.stringify(body);
  t.regex(text, /"url":"https:\/\/volumes\.example\/v3\/[0-9a-f]{32}"/);
  t.regex(text, /"url":"http:\/\/images:9292"/);
  await behind.close();
  const without = await LocalApi.start(cluster, { auth_strategy: 'noauth' });
  t.is((await without.client.get('/identity/v3')).status, 404);
  t.is((await without.client.get('/v3/volumes')).status, 200);
  await without.close();
});

test.serial('neither log nor events have a password or a token', async (t) => {
  const events = JSON.stringify(await local.store.redis.xrevrange(local.store.keys.events(), '+', '-'));
  t.regex(events, /user\.create/);
  t.true(logged.some((line) => line.startsWith('a sign-in was refused') && line.includes('127.0.0.1')));
  for (const text of [events, ...logged]) {
    t.notRegex(text, /bst_|correct horse|wrong password|another password|scrypt/);
    t.false(/nobody/.test(text) && text !== events, text);
  }
});
