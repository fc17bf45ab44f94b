import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { z } from 'zod';
import { type Log, silentLog } from '../../../lib/log.ts';
import { Api } from '../../../services/api/api.ts';
import { ApiClient } from '../../support/api.ts';
import { newAuthority, newCertificate } from '../../support/certificates.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeIdentity, type FakeToken, type Fault } from '../../support/fake-identity.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
test.before(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
});
test.after.always(() => cluster.close());

interface Place {
  identity: FakeIdentity;
  logged: string[];
  passwordFile: string;
  as: (token: string) => ApiClient;
}

let places = 0;

async function place(
  t: ExecutionContext,
  flags: Parameters<Cluster['flags']>[0] = {},
  identity?: FakeIdentity,
): Promise<Place> {
  const service = identity ?? (await FakeIdentity.start());
  t.teardown(() => service.stop());
  places += 1;
  const passwordFile = join(cluster.directory, `password-${places}`);
  await writeFile(passwordFile, `${service.password}\n`, { mode: 0o600 });
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const log: Log = { ...silentLog, info: note, warn: note };
  const own = cluster.flags({
    api_listen: '127.0.0.1:0',
    auth_strategy: 'keystone',
    keystone_url: service.url,
    keystone_password_file: passwordFile,
    keystone_timeout: '60',
    ...flags,
  });
  const api = new Api({ flags: own, store: await cluster.store(own), log });
  await api.start();
  t.teardown(() => api.stop());
  const client = new ApiClient(api.urls[0] ?? '');
  return {
    identity: service,
    logged,
    passwordFile,
    as: (token) => client.with(token === '' ? {} : { 'x-auth-token': token }),
  };
}

const volumes = '/v3/volumes';
const member: FakeToken = { project: 'p1', roles: ['member'] };
const callerSchema = z.object({
  caller: z.object({ user_id: z.string(), project_id: z.string(), roles: z.array(z.string()) }),
});

test('a caller is who the service says, with the roles that count here', async (t) => {
  const { identity, as } = await place(t);
  const cases: [FakeToken, object][] = [
    [{ user: 'a', project: 'p1', roles: ['Member', 'load-balancer_observer', '_member_'] }, { roles: ['member'] }],
    [{ user: 'a', project: 'p1', roles: ['ADMIN', 'reader'] }, { roles: ['reader', 'admin'] }],
    [{ user: 'a', project: 'p1', roles: ['admin'], more: { is_admin_project: false } }, { roles: ['member'] }],
    [{ user: 'a', project: 'p1', roles: ['service', 'reader'] }, { roles: ['reader', 'service'] }],
  ];
  for (const [index, [token, expected]] of cases.entries()) {
    identity.tokens.set(`t${index}`, token);
    const { status, body } = await as(`t${index}`).get('/v3/blockstore/caller');
    t.is(status, 200);
    t.like(callerSchema.parse(body).caller, { user_id: 'a', project_id: 'p1', ...expected });
  }
  identity.tokens.set('unscoped', { roles: ['admin'] });
  t.is((await as('unscoped').get(volumes)).status, 403);
  identity.tokens.set('none', { project: 'p1', roles: ['heat_stack_owner'] });
  t.is((await as('none').get(volumes)).status, 403);
});

test('a token is for its project; an administrator names others in the path', async (t) => {
  const { identity, as } = await place(t);
  identity.tokens.set('member', member).set('admin', { project: 'p1', roles: ['admin'] });
  t.is((await as('member').get('/v3/p1/volumes')).status, 200);
  t.is((await as('member').get('/v3/p2/volumes')).status, 400);
  const made = await as('admin').post('/v3/p2/volumes', { volume: { size: 1 } });
  t.is(made.status, 202);
  const list = z.object({ volumes: z.array(z.unknown()) });
  t.is(list.parse((await as('member').get('/v3/p1/volumes')).body).volumes.length, 0);
});

test('a token that is unknown, has expired or is no token is refused, and the answer names the service', async (t) => {
  const { identity, as } = await place(t);
  identity.tokens.set('old', { ...member, lifetimeMs: -1000 });
  for (const token of ['', 'unknown', 'old', 'a b', 'x'.repeat(8193)]) {
    const { status, headers } = await as(token).get(volumes);
    t.is(status, 401, token.slice(0, 20));
    t.is(headers.get('www-authenticate'), `Keystone uri="${identity.url}"`);
  }
  t.deepEqual(identity.asked.toSorted(), ['old', 'unknown']);
});

test('a token is validated once in the time that a validation is kept, however many ask', async (t) => {
  const { identity, as } = await place(t, { keystone_cache_time: '5' });
  identity.tokens.set('known', member);
  for (const token of ['known', 'guess']) {
    const began = performance.now();
    await Promise.all(Array.from({ length: 30 }, () => as(token).get(volumes)));
    const most = 2 + Math.floor((performance.now() - began) / 5000);
    t.true(identity.asked.filter((one) => one === token).length <= most, token);
  }
  t.is(identity.signIns, 1);
  identity.tokens.delete('known');
  await until(async () => (await as('known').get(volumes)).status === 401, 'a revoked token is refused');
});

test('a token that ends while its validation is kept is refused', async (t) => {
  const { identity, as } = await place(t, { keystone_cache_time: '600' });
  identity.tokens.set('short', { ...member, lifetimeMs: 1500 });
  t.is((await as('short').get(volumes)).status, 200);
  await until(async () => (await as('short').get(volumes)).status === 401, 'it is refused');
  t.is(identity.asked.length, 1);
});

test('the number of validations that are kept is bounded', async (t) => {
  const { identity, as } = await place(t, { keystone_cache_tokens: '2' });
  for (const token of ['a', 'b', 'c']) identity.tokens.set(token, member);
  for (const token of ['a', 'b', 'c', 'c', 'b', 'a']) t.is((await as(token).get(volumes)).status, 200);
  t.deepEqual(identity.asked, ['a', 'b', 'c', 'a']);
});

test('its own token is renewed before it ends and when it is revoked, with the password as the file has it', async (t) => {
  const { identity, as, passwordFile } = await place(t, { keystone_cache_time: '0' });
  identity.tokens.set('known', member);
  t.is((await as('known').get(volumes)).status, 200);
  identity.forgetSignIns();
  t.is((await as('known').get(volumes)).status, 200);
  t.is(identity.signIns, 2);
  identity.password = 'other';
  identity.forgetSignIns();
  t.is((await as('known').get(volumes)).status, 503);
  await writeFile(passwordFile, 'other\n');
  identity.ownLifetimeMs = 1000;
  t.is((await as('known').get(volumes)).status, 200);
  t.is(identity.signIns, 3);
  await until(async () => {
    t.is((await as('known').get(volumes)).status, 200);
    return identity.signIns > 3;
  }, 'it was renewed');
});

const faults: readonly [name: string, fault: Fault, reason: RegExp, timeout?: string][] = [
  ['says nothing', { kind: 'silence' }, /no answer within 2 s/, '2'],
  ['closes connections', { kind: 'reset' }, /hang up|reset/],
  ['gives half an answer', { kind: 'half' }, /aborted|incomplete|terminated/],
  ['fails', { kind: 'status', status: 500 }, /it answered 500/],
  ['is overloaded', { kind: 'status', status: 429 }, /it answered 429/],
  ['refuses the user', { kind: 'status', status: 403 }, /may not validate tokens/],
  ['redirects', { kind: 'status', status: 302, location: '/v3/auth/tokens' }, /it redirects \(302\)/],
  ['sends a page', { kind: 'text', text: '<html></html>' }, /cannot be read: no JSON/],
  ['sends another document', { kind: 'text', text: '{"token": {"user": 7}}' }, /cannot be read: token\./],
  ['sends nothing', { kind: 'text', text: '' }, /cannot be read: no JSON/],
  ['sends far too much', { kind: 'text', text: 'x'.repeat(5 * 2 ** 20) }, /more than \d+ bytes/],
];
for (const [name, fault, reason, timeout = '60'] of faults) {
  test(`while the service ${name} nobody new gets in, and those who are known go on`, async (t) => {
    const { identity, as, logged } = await place(t, { keystone_timeout: timeout, keystone_cache_time: '600' });
    identity.tokens.set('known', member).set('late', member);
    await until(async () => (await as('known').get(volumes)).status === 200, 'it is known');
    logged.length = 0;
    identity.hasFaultAtSignIn = false;
    identity.fault = fault;
    for (let count = 0; count < 3; count += 1) {
      const refused = await as('late').get(volumes);
      t.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
      t.notRegex(JSON.stringify(refused.body), reason, 'the reason is for the log');
      t.is((await as('known').get(volumes)).status, 200);
    }
    identity.fault = { kind: 'none' };
    await until(async () => (await as('late').get(volumes)).status === 200, 'it gets in again');
    const lines = logged.filter((line) => line.includes('the identity service'));
    t.regex(lines[0] ?? '', reason);
    t.regex(lines.at(-1) ?? '', /can be used again/);
    t.is(lines.filter((line) => line.includes('cannot be used')).length, 1);
  });
}

test('a service that is away at the start, or refuses the sign-in, lets nobody in', async (t) => {
  const gone = await FakeIdentity.start();
  const { as, identity, logged } = await place(t, { keystone_user: 'somebody' }, gone);
  t.is((await as('any').get(volumes)).status, 503);
  t.regex(logged.join('\n'), /keystone_user somebody is refused: check its password, project and domains/);
  identity.fault = { kind: 'reset' };
  t.is((await as('any').get(volumes)).status, 503);
});

test('while the service says nothing, one request waits for it, and the others are answered at once', async (t) => {
  const { identity, as } = await place(t, { keystone_timeout: '5', keystone_cache_time: '600' });
  identity.tokens.set('known', member);
  await until(async () => (await as('known').get(volumes)).status === 200, 'it is known');
  identity.fault = { kind: 'silence' };
  t.is((await as('first').get(volumes)).status, 503);
  const probe = as('probe').get(volumes);
  await until(async () => {
    const started = performance.now();
    t.is((await as(`other${started}`).get(volumes)).status, 503);
    return performance.now() - started < 4000;
  }, 'others do not wait');
  t.is((await as('known').get(volumes)).status, 200);
  t.is((await probe).status, 503);
});

test('a redirect takes no token to another address', async (t) => {
  const reached: string[] = [];
  const other = createServer((request, response) => {
    reached.push(request.url ?? '');
    response.end();
  }).listen(0, '127.0.0.1');
  await once(other, 'listening');
  const at = other.address();
  const { identity, as } = await place(t);
  identity.hasFaultAtSignIn = false;
  const location = `http://127.0.0.1:${typeof at === 'object' && at ? at.port : 0}/v3/auth/tokens`;
  for (const status of [301, 302, 307, 308]) {
    identity.fault = { kind: 'status', status, location };
    t.is((await as(`token${status}`).get(volumes)).status, 503);
  }
  t.deepEqual(reached, []);
  other.close();
});

test('a service by TLS is trusted by the authority of the file alone', async (t) => {
  const [authority, stranger] = [
    await newAuthority(cluster.directory, 'identity-authority'),
    await newAuthority(cluster.directory, 'stranger'),
  ];
  const certificate = await newCertificate(cluster.directory, 'identity', authority);
  for (const [file, status] of [
    [authority.cert, 200],
    [stranger.cert, 503],
    ['', 503],
  ] as const) {
    const { identity, as } = await place(t, { keystone_ca_file: file }, await FakeIdentity.start(certificate));
    identity.tokens.set('known', member);
    t.is((await as('known').get(volumes)).status, status, file);
  }
});

test('what the strategy needs is checked at the start', async (t) => {
  t.throws(() => cluster.flags({ auth_strategy: 'keystone' }), {
    message: /auth_strategy = keystone requires keystone_url, keystone_password_file/,
  });
  t.throws(() => cluster.flags({ keystone_url: 'ftp://identity' }), { message: /must be an address such as https:/ });
  const empty = join(cluster.directory, 'empty');
  await writeFile(empty, '\n');
  for (const [flags, message] of [
    [{ keystone_password_file: '/absent' }, /keystone_password_file = "\/absent" cannot be read: it does not exist/],
    [{ keystone_password_file: empty }, /keystone_password_file = .* is empty/],
    [{ keystone_ca_file: empty }, /keystone_ca_file = .* is empty/],
  ] as const) {
    await t.throwsAsync(place(t, flags), { code: 'InvalidFlags', message });
  }
  const { logged } = await place(t, { keystone_url: 'http://192.0.2.1:5000/v3' });
  t.regex(logged.join('\n'), /keystone_url = .* is plain HTTP/);
});
