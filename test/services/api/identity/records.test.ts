import test from 'ava';
import { createCredential, deleteCredential } from '../../../../lib/client/identity/credentials.ts';
import { grantRole, revokeRole } from '../../../../lib/client/identity/assignments.ts';
import { createProject, deleteProject, updateProject } from '../../../../lib/client/identity/projects.ts';
import { removeExpired } from '../../../../lib/client/identity/remove-expired.ts';
import { credentialNamed, hasRoles, signIn, signInByCredential } from '../../../../lib/client/identity/sign-in.ts';
import { lockedFor } from '../../../../lib/client/identity/failures.ts';
import { findToken, issueToken, revokeToken } from '../../../../lib/client/identity/tokens.ts';
import { createUser, deleteUser, revokeTokensOf, updateUser } from '../../../../lib/client/identity/users.ts';
import { auditRecords } from '../../../../lib/audit/records.ts';
import { assignmentId, assignmentsOf } from '../../../../lib/models/assignment.ts';
import { findProject } from '../../../../lib/models/project.ts';
import { type UserState, findUser, usersOf } from '../../../../lib/models/user.ts';
import type { Store } from '../../../../lib/redis/store.ts';
import { Cluster } from '../../../support/cluster.ts';
import { until } from '../../../support/until.ts';
import { LocalAuthentication } from '../../../../services/api/authentication/local.ts';

let cluster: Cluster;
let store: Store;
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.after.always(() => cluster.close());

const password = 'correct horse';
const address = '192.0.2.1';
const lifetimeMs = 3_600_000;
let count = 0;

interface Member {
  user: UserState;
  project: string;
  /** Returns a new token. */
  token: () => Promise<string>;
}

async function member(): Promise<Member> {
  count += 1;
  const user = await createUser(store, { name: `user ${count}`, password });
  const { id: project } = await createProject(store, { name: `project ${count}` });
  await grantRole(store, user.id, project, 'member');
  const token = async () =>
    issueToken(store, { user: await usersOf(store).lookup(user.id), project, methods: ['password'], lifetimeMs });
  return { user, project, token };
}

test.serial('a token says who has it, for which project, with which roles', async (t) => {
  const { user, project, token } = await member();
  const text = await token();
  const known = await findToken(store, text);
  t.like(known, {
    user: { id: user.id },
    project: { id: project },
    roles: ['member'],
    token: { methods: ['password'] },
  });
  await grantRole(store, user.id, project, 'admin');
  t.deepEqual((await findToken(store, text))?.roles, ['member', 'admin']);
  t.is(await findToken(store, `${text.slice(0, -1)}${text.endsWith('A') ? 'E' : 'A'}`), undefined);
});

test.serial('Redis has neither passwords nor secrets nor texts of tokens', async (t) => {
  const { user, project, token } = await member();
  const text = await token();
  const secret = 'secret of a program';
  await createCredential(store, { name: 'program', user: user.id, project, secret });
  for await (const names of store.names()) {
    for (const name of names) {
      const key = store.keys.prefix + name;
      const content = JSON.stringify(
        (await store.redis.type(key)) === 'hash' ? await store.redis.hgetall(key) : await store.redis.dump(key),
      );
      for (const hidden of [password, secret, text]) t.false(`${name} ${content}`.includes(hidden), name);
    }
  }
});

test.serial('the tokens of a user end with the password, the user, a role, and when they are revoked', async (t) => {
  const changes: ((one: Member) => Promise<unknown>)[] = [
    ({ user }) => updateUser(store, user.id, { password: 'another password' }),
    ({ user }) => updateUser(store, user.id, { isEnabled: false }),
    ({ user }) => deleteUser(store, user.id),
    ({ user, project }) => revokeRole(store, user.id, project, 'member'),
    ({ user }) => revokeTokensOf(store, user.id),
    ({ project }) => updateProject(store, project, { isEnabled: false }),
    ({ project }) => deleteProject(store, project),
  ];
  for (const change of changes) {
    const one = await member();
    const [first, second] = [await one.token(), await one.token()];
    t.truthy(await findToken(store, second));
    await change(one);
    t.is(await findToken(store, first), undefined, change.toString());
    t.is(await findToken(store, second), undefined, change.toString());
  }
  const one = await member();
  const [first, second] = [await one.token(), await one.token()];
  await revokeToken(store, first);
  await revokeToken(store, first);
  t.is(await findToken(store, first), undefined);
  t.truthy(await findToken(store, second));
  await updateUser(store, one.user.id, { description: 'new' });
  t.truthy(await findToken(store, second));
});

test.serial('no token is issued to a user who changed since the password was checked', async (t) => {
  const { user, project } = await member();
  const request = { user, project, methods: ['password'], lifetimeMs };
  await updateUser(store, user.id, { password: 'another password' });
  await t.throwsAsync(issueToken(store, request), { name: 'SignInRefused' });
  const now = await updateUser(store, user.id, { isEnabled: false });
  await t.throwsAsync(issueToken(store, { ...request, user: now }), { name: 'SignInRefused' });
});

test.serial('expired tokens are not valid, and are removed in steps', async (t) => {
  const { user, project, token } = await member();
  const request = { user, project, methods: ['password'], lifetimeMs: -1 };
  const texts = await Promise.all(Array.from({ length: 250 }, () => issueToken(store, request)));
  t.is(await findToken(store, texts[0] ?? ''), undefined);
  const valid = await token();
  t.true((await removeExpired(store)) >= 250);
  t.is(await store.redis.zcard(store.keys.userTokens(user.id)), 1);
  t.truthy(await findToken(store, valid));
  t.is(await removeExpired(store), 0);
});

test.serial('one message refuses a wrong name, a wrong password and a disabled user', async (t) => {
  const { user } = await member();
  t.like(await signIn(store, { user: user.name, address }, password), { id: user.id });
  t.like(await signIn(store, { user: user.id, address }, password), { id: user.id });
  const messages = new Set<string>();
  for (const [name, given] of [
    [user.name, 'wrong password'],
    ['nobody of that name', password],
    ['0'.repeat(32), password],
    [user.name, ''],
  ] as const) {
    const error = await t.throwsAsync(signIn(store, { user: name, address }, given), { name: 'SignInRefused' });
    messages.add(error?.message ?? '');
  }
  await updateUser(store, user.id, { isEnabled: false });
  const error = await t.throwsAsync(signIn(store, { user: user.name, address }, password), { name: 'SignInRefused' });
  t.deepEqual([...messages], [error?.message ?? '']);
});

test.serial(
  'guesses of one name have to wait, twice as long after each, also at other nodes and from other addresses',
  async (t) => {
    const { user } = await member();
    const other = await cluster.store();
    const guess = (via: Store, from: string, given = 'wrong password') =>
      signIn(via, { user: user.name, address: from }, given);
    for (let failure = 0; failure < 5; failure += 1) {
      await t.throwsAsync(guess(store, `192.0.2.${10 + failure}`), { name: 'SignInRefused' });
    }
    const keys = await store.redis.keys(`${store.keys.prefix}sign-in-failures:*`);
    const counts = await Promise.all(
      keys.map(async (key) => ({ name: key, failures: await store.redis.hget(key, 'count') })),
    );
    const { name = '' } = counts.find(({ failures }) => failures === '5') ?? {};
    t.true(Number(await store.redis.hget(name, 'until')) <= Date.now() + 1000);
    await store.redis.hset(name, 'until', String(Date.now() + 60_000));
    const locked = await t.throwsAsync(guess(other, '192.0.2.20', password), { name: 'SignInLocked' });
    t.regex(locked?.message ?? '', /the next attempt is possible in [3-6]\d s/);
    await store.redis.hset(name, 'until', '0');
    await t.throwsAsync(guess(other, '192.0.2.21'), { name: 'SignInRefused' });
    t.true(Number(await store.redis.hget(name, 'until')) - Date.now() > 1000);
    await store.redis.hset(name, 'until', '0', 'count', '40');
    await t.throwsAsync(guess(other, '192.0.2.21'), { name: 'SignInRefused' });
    t.true(Number(await store.redis.hget(name, 'until')) - Date.now() <= 300_000);
    await store.redis.hset(name, 'until', '0');
    t.like(await guess(store, '192.0.2.22', password), { id: user.id });
    t.is(await store.redis.exists(name), 0);
  },
);

test.serial(
  'of guesses at once no more than the turns of the password are checked before they are refused',
  async (t) => {
    const { user } = await member();
    const ends = await Promise.allSettled(
      Array.from({ length: 40 }, () => signIn(store, { user: user.name, address: '192.0.2.30' }, 'wrong password')),
    );
    const codes = ends.map((end) => (end.status === 'rejected' ? String(end.reason.code) : 'in'));
    const checked = codes.filter((code) => code === 'SignInRefused').length;
    t.true(checked >= 5 && checked <= 7, `${checked} were checked: ${codes.join(' ')}`);
  },
);

test.serial('an application credential signs in for its project, with the roles that its user still has', async (t) => {
  const { user, project } = await member();
  await grantRole(store, user.id, project, 'admin');
  const secret = 'secret of a program';
  const { id } = await createCredential(store, { name: 'p', user: user.id, project, secret });
  const { credential } = await signInByCredential(store, { id, address }, secret);
  t.like(credential, { project, roles: ['member', 'admin'], isUnrestricted: false });
  t.is(await credentialNamed(store, user.name, 'p'), id);
  t.is(await credentialNamed(store, 'nobody of that name', 'p'), '');
  const text = await issueToken(store, {
    user: await usersOf(store).lookup(user.id),
    project,
    credential: id,
    methods: ['application_credential'],
    lifetimeMs,
  });
  t.deepEqual((await findToken(store, text))?.roles, ['member', 'admin']);
  await t.throwsAsync(signInByCredential(store, { id, address }, 'wrong secret'), { name: 'SignInRefused' });
  await t.throwsAsync(signInByCredential(store, { id: 'f'.repeat(32), address }, secret), { name: 'SignInRefused' });
  await t.throwsAsync(createCredential(store, { name: 'p', user: user.id, project, secret }), {
    name: 'CredentialExists',
  });
  await t.throwsAsync(createCredential(store, { name: 'q', user: user.id, project, secret, roles: ['service'] }), {
    name: 'RoleNotGranted',
  });
  await deleteCredential(store, id);
  t.is(await findToken(store, text), undefined);
  await t.throwsAsync(deleteCredential(store, id), { name: 'CredentialNotFound' });
});

test.serial('names are unique, and have not the form of an id', async (t) => {
  const { user, project } = await member();
  await t.throwsAsync(createUser(store, { name: user.name }), { name: 'UserExists' });
  const { name } = await findProject(store, project);
  await t.throwsAsync(createProject(store, { name }), { name: 'ProjectExists' });
  const other = await member();
  await t.throwsAsync(updateUser(store, other.user.id, { name: user.name }), { name: 'UserExists' });
  await t.throwsAsync(updateProject(store, other.project, { name }), { name: 'ProjectExists' });
  for (const bad of ['', '-x', 'a'.repeat(32), 'a\nb']) {
    await t.throwsAsync(createUser(store, { name: bad }), { name: 'InvalidArgument' }, bad);
  }
  await updateUser(store, user.id, { name: 'renamed' });
  t.is((await findUser(store, 'renamed')).id, user.id);
  await t.throwsAsync(findUser(store, user.name), { name: 'UserNotFound' });
  t.truthy(await createUser(store, { name: user.name }));
});

test.serial('a project with a volume is not deleted, and nothing of it changes', async (t) => {
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  const { user, project, token } = await member();
  const commands = await cluster.commands();
  const { id } = await commands.create({ size: 1, userId: user.id, projectId: project });
  const error = await t.throwsAsync(deleteProject(store, project), { name: 'ProjectInUse' });
  t.regex(error?.message ?? '', /still has 1 volume$/);
  t.like(error, { hint: `delete them first: blockstore volume list --project ${project}` });
  t.truthy(await findToken(store, await token()));
  await commands.delete(id);
  await until(async () => (await store.redis.exists(store.keys.projectVolumes(project))) === 0, 'deleted');
  await deleteProject(store, project);
  t.false(await hasRoles(store, user.id, project));
  await t.throwsAsync(grantRole(store, user.id, project, 'member'), { name: 'ProjectNotFound' });
});

test.serial('a deleted user leaves nothing, and audits find nothing', async (t) => {
  const { user, project, token } = await member();
  await token();
  await createCredential(store, { name: 'p', user: user.id, project, secret: 'secret of a program' });
  await deleteUser(store, user.id);
  t.is(await assignmentsOf(store).find(assignmentId(user.id, project)), undefined);
  t.is(await store.redis.exists(store.keys.userCredentials(user.id)), 0);
  const findings = [];
  for await (const finding of auditRecords(store, { repair: false })) findings.push(finding);
  t.deepEqual(findings, []);
});

test.serial('damaged records let nobody in, and audits report them', async (t) => {
  const { user, project, token } = await member();
  const credential = await createCredential(store, {
    name: 'p',
    user: user.id,
    project,
    secret: 'secret of a program',
  });
  const { keys } = store;
  for (const [key, field, object] of [
    [keys.user(user.id), 'generation', `user ${user.id}`],
    [keys.project(project), 'createTime', `project ${project}`],
    [keys.assignment(assignmentId(user.id, project)), 'user', `assignment ${assignmentId(user.id, project)}`],
    [keys.credential(credential.id), 'secret', `application-credential ${credential.id}`],
  ] as const) {
    const text = await token();
    const value = (await store.redis.hget(key, field)) ?? '';
    await store.redis.hdel(key, field);
    t.is((await findToken(store, text)) === undefined, !object.startsWith('application'), object);
    const findings: string[] = [];
    for await (const finding of auditRecords(store, { repair: false })) findings.push(finding.object + finding.what);
    t.true(
      findings.some((one) => one.startsWith(`${object}has an unusable record: `)),
      `${object}: ${findings.join()}`,
    );
    await store.redis.hset(key, field, value);
  }
});

test.serial('damaged failures to sign in keep nobody out, are reported, and end with the next failure', async (t) => {
  const { user } = await member();
  const attempt = { user: user.name, address: '192.0.2.77' };
  const suspects = [{ name: user.name }, { address: attempt.address }];
  const index = store.keys.allSignInFailures();
  const others = new Set(await store.redis.zrange(index, '0', '-1'));
  const right = () => signIn(store, attempt, password);
  const wrong = () => t.throwsAsync(signIn(store, attempt, 'a wrong one'), { name: 'SignInRefused' });
  for (const damage of [
    { count: 'garbage' },
    { until: 'garbage' },
    { expires: '' },
    { count: '', until: '', expires: '' },
  ]) {
    await wrong();
    const own = (await store.redis.zrange(index, '0', '-1')).filter((id) => !others.has(id));
    t.true(own.length > 0);
    for (const id of own) await store.redis.hset(store.keys.signInFailures(id), damage);
    const findings: string[] = [];
    for await (const { object, what } of auditRecords(store, { repair: false })) findings.push(`${object} ${what}`);
    t.true(
      findings.some((one) => /^sign-in-failures \w+ has an unusable record/.test(one)),
      findings.join(),
    );
    t.is((await right()).id, user.id, JSON.stringify(damage));
    t.is(await lockedFor(store, suspects), 0);
    await wrong();
    await right();
    await Array.fromAsync(auditRecords(store, { repair: true }));
    t.deepEqual(await Array.fromAsync(auditRecords(store, { repair: false })), [], JSON.stringify(damage));
  }
});

test.serial('the API knows tokens, and which project the path may name', async (t) => {
  const { user, project, token } = await member();
  const local = new LocalAuthentication(store);
  const text = await token();
  const caller = { userId: user.id, projectId: project, roles: ['member'] as const };
  t.deepEqual(await local.authenticate({ token: text, project: '' }), { ...caller, roles: ['member'] });
  t.deepEqual(await local.authenticate({ token: text, project }), { ...caller, roles: ['member'] });
  await t.throwsAsync(local.authenticate({ token: text, project: 'other' }), { name: 'InvalidRequest' });
  for (const none of ['', 'admin:default', `${text}x`]) {
    await t.throwsAsync(local.authenticate({ token: none, project }), { name: 'NotAuthenticated' });
  }
  await grantRole(store, user.id, project, 'admin');
  t.like(await local.authenticate({ token: text, project: 'other' }), { projectId: 'other' });
  const request = { user: await usersOf(store).lookup(user.id), project: '', methods: ['password'], lifetimeMs };
  t.deepEqual(await local.authenticate({ token: await issueToken(store, request), project }), {
    userId: user.id,
    projectId: '',
    roles: [],
  });
});
