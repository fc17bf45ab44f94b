import test from 'ava';
import { z } from 'zod';
import { identityCalls } from '../../../../services/api/identity/calls/index.ts';
import { identityPolicy } from '../../../../services/api/identity/policy.ts';
import { type ApiClient, object } from '../../../support/api.ts';
import { Cluster } from '../../../support/cluster.ts';
import { LocalApi, type Member, testPassword as password } from '../../../support/identity.ts';

let cluster: Cluster;
let local: LocalApi;
let root: Member;
let admin: ApiClient;
let member: Member;
let asMember: ApiClient;
test.before(async () => {
  cluster = await Cluster.start();
  local = await LocalApi.start(cluster, { api_max_limit: '3' });
  root = await local.member('root', ['admin']);
  admin = await local.as(root);
  member = await local.member('ann', ['member', 'reader']);
  asMember = await local.as(member);
});
test.after.always(async () => {
  await local?.close();
  await cluster?.close();
});

const base = '/identity/v3';
const userSchema = z.object({ user: z.looseObject({ id: z.string() }) });
const projectSchema = z.object({ project: z.looseObject({ id: z.string() }) });

test.serial('users are created, found, changed and deleted', async (t) => {
  const made = await admin.post(`${base}/users`, {
    user: { name: 'bob', password, email: 'bob@example.org', enabled: true, domain_id: 'default', options: {} },
  });
  t.is(made.status, 201, JSON.stringify(made.body));
  const { id } = userSchema.parse(made.body).user;
  t.false(JSON.stringify(made.body).includes('password"') || JSON.stringify(made.body).includes('scrypt'));
  t.like((await admin.get(`${base}/users/${id}`)).body, { user: { id, name: 'bob', email: 'bob@example.org' } });
  t.is((await admin.get(`${base}/users/bob`)).status, 404);
  t.like((await admin.get(`${base}/users?name=bob`)).body, { users: [{ id }] });
  t.like((await admin.get(`${base}/users?name=b`)).body, { users: [] });
  t.is((await admin.post(`${base}/users`, { user: { name: 'bob', password } })).status, 409);
  t.is((await admin.post(`${base}/users`, { user: { name: 'x', password: 'short' } })).status, 400);
  t.is((await admin.post(`${base}/users`, { user: { name: 'x', domain_id: 'other' } })).status, 400);
  const changed = await admin.send('PATCH', `${base}/users/${id}`, { user: { enabled: false, email: null } });
  t.like(userSchema.parse(changed.body).user, { enabled: false });
  t.false('email' in userSchema.parse(changed.body).user);
  t.like((await admin.get(`${base}/users?enabled=false`)).body, { users: [{ id }] });
  t.is((await admin.delete(`${base}/users/${id}`)).status, 204);
  t.is((await admin.get(`${base}/users/${id}`)).status, 404);
  t.is((await admin.delete(`${base}/users/${id}`)).status, 404);
});

test.serial('a path that lacks an id is no call', async (t) => {
  for (const path of [
    `/projects//users/${member.user}/roles`,
    `/projects/${member.project}/users//roles`,
    '/users//projects',
    '/users//application_credentials',
    '/projects/',
  ]) {
    const { status, body } = await admin.get(`${base}${path}`);
    if (path === '/projects/') t.is(status, 200);
    else t.like({ status, body }, { status: 404, body: { error: { code: 404 } } }, path);
  }
});

test.serial('a request with a key makes one user', async (t) => {
  const client = admin.with({ 'idempotency-key': 'k1' });
  const [first, second] = [
    await client.post(`${base}/users`, { user: { name: 'once' } }),
    await client.post(`${base}/users`, { user: { name: 'once' } }),
  ];
  t.deepEqual([first.status, second.status], [201, 201]);
  t.is(userSchema.parse(first.body).user.id, userSchema.parse(second.body).user.id);
});

test.serial('users change their own password with the old one alone', async (t) => {
  const cara = await local.member('cara', ['member']);
  const own = await local.as(cara);
  const path = `${base}/users/${cara.user}/password`;
  const change = (original: string) => ({ user: { original_password: original, password: 'a new password' } });
  t.is((await own.post(path, change('wrong password'))).status, 401);
  t.is((await asMember.post(path, change(password))).status, 403);
  t.is((await own.post(path, change(password))).status, 204);
  t.is((await own.get('/v3/volumes')).status, 401, 'the token has ended');
  t.is((await local.token({ name: 'cara', password: 'a new password' })).status, 201);
});

test.serial('projects are created, found, changed and deleted, but not with volumes', async (t) => {
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  const made = await admin.post(`${base}/projects`, {
    project: {
      name: 'web',
      description: 'shop',
      domain_id: 'default',
      is_domain: false,
      parent_id: 'default',
      tags: [],
    },
  });
  t.is(made.status, 201, JSON.stringify(made.body));
  const { id } = projectSchema.parse(made.body).project;
  t.like((await admin.get(`${base}/projects?name=web`)).body, { projects: [{ id, description: 'shop' }] });
  t.is((await admin.post(`${base}/projects`, { project: { name: 'web' } })).status, 409);
  t.is((await admin.post(`/v3/${id}/volumes`, { volume: { size: 1 } })).status, 202);
  const refused = await admin.delete(`${base}/projects/${id}`);
  t.is(refused.status, 409);
  t.regex(JSON.stringify(refused.body), /project web still has 1 volume; delete them first/);
  const changed = await admin.send('PATCH', `${base}/projects/${id}`, { project: { enabled: false, name: 'shop' } });
  t.like(changed.body, { project: { id, enabled: false, name: 'shop' } });
  const other = projectSchema.parse(
    (await admin.post(`${base}/projects`, { project: { name: 'empty' } })).body,
  ).project;
  t.is((await admin.delete(`${base}/projects/${other.id}`)).status, 204);
  t.is((await admin.get(`${base}/projects/${other.id}`)).status, 404);
  t.is((await asMember.get(`${base}/projects/${member.project}`)).status, 200);
  t.is((await asMember.get(`${base}/projects/${id}`)).status, 403);
});

test.serial('roles are granted, listed and taken', async (t) => {
  const { roles } = z
    .object({ roles: z.array(z.looseObject({ id: z.string(), name: z.string() })) })
    .parse((await asMember.get(`${base}/roles`)).body);
  t.deepEqual(
    roles.map(({ name }) => name),
    ['reader', 'member', 'service', 'admin'],
  );
  const service = roles[2]?.id ?? '';
  t.like((await admin.get(`${base}/roles?name=service`)).body, { roles: [{ id: service }] });
  t.is((await admin.get(`${base}/roles/service`)).status, 404);
  const path = `${base}/projects/${member.project}/users/${member.user}/roles`;
  t.is((await admin.put(`${path}/${service}`)).status, 204);
  t.is((await admin.send('HEAD', `${path}/${service}`)).status, 204);
  t.like((await admin.get(path)).body, { roles: [{ name: 'reader' }, { name: 'member' }, { name: 'service' }] });
  const named = await admin.get(`${base}/role_assignments?user.id=${member.user}&include_names=True`);
  t.like(named.body, {
    role_assignments: [
      { role: { name: 'reader' }, user: { name: 'ann' }, scope: { project: { name: 'ann' } } },
      { role: { name: 'member' } },
      { role: { id: service } },
    ],
  });
  t.like((await admin.get(`${base}/role_assignments?scope.project.id=${root.project}`)).body, {
    role_assignments: [{ user: { id: root.user } }],
  });
  t.like((await asMember.get(`${base}/role_assignments?user.id=${member.user}&role.id=${service}`)).body, {
    role_assignments: [{ role: { id: service } }],
  });
  t.like((await admin.get(`${base}/role_assignments?scope.system=all`)).body, { role_assignments: [] });
  t.is((await admin.delete(`${path}/${service}`)).status, 204);
  t.is((await admin.delete(`${path}/${service}`)).status, 404);
  t.is((await admin.send('HEAD', `${path}/${service}`)).status, 404);
  t.is((await admin.put(`${base}/projects/${'0'.repeat(32)}/users/${member.user}/roles/${service}`)).status, 404);
  t.is((await admin.put(`${base}/projects/${member.project}/users/nobody/roles/${service}`)).status, 404);
  t.is((await asMember.get('/v3/volumes')).status, 401, 'the token has ended with the role');
  asMember = await local.as(member);
});

test.serial('an application credential is made once, signs in, and makes no other one', async (t) => {
  const path = `${base}/users/${member.user}/application_credentials`;
  const made = await asMember.post(path, { application_credential: { name: 'job', roles: [{ name: 'reader' }] } });
  t.is(made.status, 201, JSON.stringify(made.body));
  const { id, secret } = z
    .object({ application_credential: z.looseObject({ id: z.string(), secret: z.string().min(20) }) })
    .parse(made.body).application_credential;
  const shown = await asMember.get(`${path}/${id}`);
  t.like(shown.body, { application_credential: { name: 'job', project_id: member.project, unrestricted: false } });
  t.false(JSON.stringify(shown.body).includes(secret));
  t.like((await asMember.get(path)).body, { application_credentials: [{ id }] });
  const identity = (fields: object) => ({
    auth: { identity: { methods: ['application_credential'], application_credential: { secret, ...fields } } },
  });
  const byName = await local.client.post(`${base}/auth/tokens`, identity({ name: 'job', user: { name: 'ann' } }));
  t.is(byName.status, 201);
  const signedIn = await local.client.post(`${base}/auth/tokens`, identity({ id }));
  t.like(object.parse(signedIn.body), {
    token: { roles: [{ name: 'reader' }], application_credential: { id, restricted: true } },
  });
  const job = local.client.with({ 'x-auth-token': signedIn.headers.get('x-subject-token') ?? '' });
  t.is((await job.get('/v3/volumes')).status, 200);
  t.is((await job.post('/v3/volumes', { volume: { size: 1 } })).status, 403);
  t.is((await job.post(path, { application_credential: { name: 'other' } })).status, 403);
  t.is((await job.delete(`${path}/${id}`)).status, 403);
  const rescoped = await local.client.post(`${base}/auth/tokens`, {
    auth: {
      identity: { methods: ['token'], token: { id: signedIn.headers.get('x-subject-token') } },
      scope: { project: { id: root.project } },
    },
  });
  t.is(rescoped.status, 401);
  t.is((await local.client.post(`${base}/auth/tokens`, identity({ id, secret: 'wrong secret' }))).status, 401);
  for (const wrong of [{ expires_at: '2001-01-01T00:00:00' }, { roles: [{ name: 'owner' }] }, { access_rules: [{}] }]) {
    t.is((await asMember.post(path, { application_credential: { name: 'no', ...wrong } })).status, 400);
  }
  t.is((await asMember.post(path, { application_credential: { name: 'no', roles: [{ name: 'admin' }] } })).status, 404);
  const ofOther = await admin.post(path, { application_credential: { name: 'no' } });
  t.is(ofOther.status, 403);
  const alone = `only user ${member.user} itself can make an application credential of that user`;
  t.like(ofOther.body, { error: { code: 403 } });
  t.true(JSON.stringify(ofOther.body).includes(alone), JSON.stringify(ofOther.body));
  t.false(JSON.stringify(ofOther.body).includes('role'), 'no role permits it');
  t.is((await asMember.delete(`${path}/${id}`)).status, 204);
  t.is((await job.get('/v3/volumes')).status, 401);
  t.is((await asMember.delete(`${path}/${id}`)).status, 404);
});

test.serial('lists have pages', async (t) => {
  for (const name of ['p1', 'p2', 'p3', 'p4']) await admin.post(`${base}/users`, { user: { name } });
  const listSchema = z.object({
    users: z.array(z.looseObject({ name: z.string() })),
    links: z.looseObject({ next: z.string().nullable() }),
  });
  const names: string[] = [];
  let next: string | null = `${local.client.url}${base}/users?limit=2`;
  for (let page = 0; next !== null && page < 20; page += 1) {
    const { users, links } = listSchema.parse((await admin.get(next.slice(local.client.url.length))).body);
    t.true(users.length <= 2);
    names.push(...users.map(({ name }) => name));
    ({ next } = links);
  }
  t.is(names.length, new Set(names).size);
  t.true(['root', 'ann', 'p1', 'p4'].every((name) => names.includes(name)));
  t.is(listSchema.parse((await admin.get(`${base}/users`)).body).users.length, 3, 'api_max_limit');
});

test.serial('each call is served to those whom the policy names, and to no others', async (t) => {
  const other = await local.member('zoe', ['member', 'reader', 'service']);
  const foreign = await local.as(other);
  for (const call of identityCalls) {
    const access = identityPolicy[call.name];
    const pathFor = (user: string) =>
      `${base}${call.path.replace(':user_id', user).replaceAll(/:\w+/g, '0'.repeat(32))}`;
    const send = (client: ApiClient, user: string) =>
      client.send(call.method, pathFor(user), ['POST', 'PATCH'].includes(call.method) ? {} : undefined);
    const what = `${call.method} ${call.path}`;
    const anonymous = await send(local.client, member.user);
    if (access === 'anyone') {
      t.is(anonymous.status, 400, what);
      continue;
    }
    t.is(anonymous.status, 401, what);
    const ofOther = await send(foreign, member.user);
    if (access === 'signed-in') t.not(ofOther.status, 401, what);
    else t.is(ofOther.status, 403, what);
    const isOwn = access === 'self' || access === 'alone';
    const allowed = isOwn ? await send(foreign, other.user) : await send(admin, member.user);
    t.false([401, 500].includes(allowed.status), `${what}: ${allowed.status}`);
    if (access === 'alone') t.is((await send(admin, member.user)).status, 403, what);
    if (access === 'admin' || isOwn) t.not(allowed.status, 403, what);
  }
});
