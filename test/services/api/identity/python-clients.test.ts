import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import { ImageDirectory } from '../../../../lib/images/directory.ts';
import { Cluster } from '../../../support/cluster.ts';
import { LocalApi, type Member, testPassword as password } from '../../../support/identity.ts';
import { PythonClients, arePythonClientsThere, fieldOf, rowsOf } from '../../../support/python-clients.ts';
import { until } from '../../../support/until.ts';

/** The command lines of Debian sign in with names and passwords, as their users do. */
const testWithClients = arePythonClientsThere ? test.serial : test.serial.skip;

let cluster: Cluster;
let local: LocalApi;
let clients: PythonClients;
let root: Member;
let ann: Member;
let directory: string;
test.before(async () => {
  if (!arePythonClientsThere) return;
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  directory = await mkdtemp(join(tmpdir(), 'blockstore-clouds-'));
  local = await LocalApi.start(cluster, { image_directory: join(directory, 'images') });
  root = await local.member('root', ['admin']);
  ann = await local.member('ann', ['member']);
  clients = new PythonClients(local.client.url, '');
});
test.after.always(async () => {
  if (!arePythonClientsThere) return;
  await clients?.[Symbol.asyncDispose]();
  await local?.close();
  await cluster?.close();
  if (directory) await rm(directory, { recursive: true, force: true });
});

function signedIn({ name, projectName }: Member, secret = password): string[] {
  const url = `${local.client.url}/identity/v3`;
  const domains = ['--os-user-domain-name', 'Default', '--os-project-domain-name', 'Default'];
  return [
    '--os-auth-url',
    url,
    '--os-username',
    name,
    '--os-password',
    secret,
    '--os-project-name',
    projectName,
    ...domains,
  ];
}

async function run(program: 'cinder' | 'openstack', words: readonly string[]): Promise<string> {
  const { succeeded, output, errors } = await clients.run(program, words);
  if (!succeeded) throw new Error(`${program} ${words.join(' ')}: ${errors}${output}`);
  return output;
}

const asAnn = (...words: readonly string[]) => run('openstack', [...signedIn(ann), ...words]);
const asRoot = (...words: readonly string[]) => run('openstack', [...signedIn(root), ...words]);

testWithClients('openstack signs in with name and password, and uses volumes', async (t) => {
  const id = fieldOf(await asAnn('volume', 'create', '--size', '1', 'data'), 'id');
  await until(async () => fieldOf(await asAnn('volume', 'show', 'data'), 'status') === 'available', 'available');
  t.true(rowsOf(await asAnn('volume', 'list')).has(id));
  t.is(fieldOf(await asAnn('volume', 'show', id), 'os-vol-tenant-attr:tenant_id'), ann.project);
  t.true(rowsOf(await asRoot('volume', 'list', '--all-projects')).has(id));
  t.false(rowsOf(await asRoot('volume', 'list')).has(id));
  await asAnn('volume', 'delete', 'data');
});

testWithClients('openstack finds the images of the cluster by their names', async (t) => {
  const images = new ImageDirectory(join(directory, 'images'));
  const { id } = await images.create({ name: 'debian', diskFormat: 'raw' });
  await images.upload(id, Readable.from(Buffer.alloc(2 ** 20)));
  t.is(rowsOf(await asAnn('image', 'list')).get(id)?.[0], 'debian');
  t.is(fieldOf(await asAnn('image', 'show', 'debian'), 'size'), String(2 ** 20));
  const absent = await clients.run('openstack', [
    ...signedIn(ann),
    'volume',
    'create',
    '--size',
    '1',
    '--image',
    'fedora',
    'v',
  ]);
  t.regex(absent.errors, /fedora/);
  const found = await clients.run('openstack', [
    ...signedIn(ann),
    'volume',
    'create',
    '--size',
    '1',
    '--image',
    'debian',
    'v',
  ]);
  t.regex(found.errors, /n1@fake: its images is no/);
  const path = '/image/v2/images';
  t.is((await local.client.get(path)).status, 401);
  const client = await local.as(ann);
  t.is((await client.get(`${path}/${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`)).status, 404);
  t.like((await client.get(`${path}?name=debian`)).body, { images: [{ id, visibility: 'public' }] });
});

testWithClients('cinder signs in with name and password, and uses volumes', async (t) => {
  const cinder = (...words: readonly string[]) => run('cinder', [...signedIn(ann), ...words]);
  const id = fieldOf(await cinder('create', '--name', 'c1', '1'), 'id');
  await until(async () => fieldOf(await cinder('show', 'c1'), 'status') === 'available', 'available');
  t.true(rowsOf(await cinder('list')).has(id));
  await cinder('delete', 'c1');
  const refused = await clients.run('cinder', [...signedIn(ann), 'service-list']);
  t.regex(refused.errors, /service:list requires the role admin.*403/s);
});

testWithClients('openstack names the reason of a refusal', async (t) => {
  const wrong = await clients.run('openstack', [...signedIn(ann, 'wrong password'), 'volume', 'list']);
  t.false(wrong.succeeded);
  t.regex(wrong.errors, /these credentials do not permit to sign in.*HTTP 401/s);
  const denied = await clients.run('openstack', [...signedIn(ann), 'user', 'list']);
  t.regex(denied.errors, /user:list requires the role admin.*HTTP 403/s);
});

testWithClients('openstack issues, shows and revokes tokens, and lists the catalog', async (t) => {
  const issued = await asAnn('token', 'issue');
  const token = fieldOf(issued, 'id');
  t.is(fieldOf(issued, 'project_id'), ann.project);
  t.is(fieldOf(issued, 'user_id'), ann.user);
  const byToken = ['--os-auth-type', 'token', '--os-auth-url', `${local.client.url}/identity/v3`, '--os-token', token];
  t.regex(await run('openstack', [...byToken, '--os-project-id', ann.project, 'volume', 'list']), /^\s*$/);
  const catalog = await asAnn('catalog', 'list');
  for (const type of ['volumev3', 'block-storage', 'identity', 'image']) t.regex(catalog, new RegExp(`\\| ${type} `));
  await asAnn('token', 'revoke', token);
  const refused = await clients.run('openstack', [...byToken, '--os-project-id', ann.project, 'volume', 'list']);
  t.regex(refused.errors, /401/);
});

testWithClients('openstack manages users, projects and roles', async (t) => {
  const project = fieldOf(await asRoot('project', 'create', '--description', 'shop', 'web'), 'id');
  t.true(rowsOf(await asRoot('project', 'list')).has(project));
  t.is(fieldOf(await asRoot('project', 'show', 'web'), 'description'), 'shop');
  await asRoot('project', 'set', '--description', 'web shop', 'web');
  const made = await asRoot('user', 'create', '--password', 'first password', '--email', 'b@example.org', 'bob');
  const bob = { user: fieldOf(made, 'id'), name: 'bob', project, projectName: 'web' };
  t.is(rowsOf(await asRoot('user', 'list')).get(bob.user)?.[0], 'bob');
  await asRoot('role', 'add', '--user', 'bob', '--project', 'web', 'member');
  t.regex(await asRoot('role', 'assignment', 'list', '--user', 'bob', '--names'), /member\s*\| bob@Default/);
  const asBob = (secret: string, ...words: readonly string[]) => run('openstack', [...signedIn(bob, secret), ...words]);
  t.regex(await asBob('first password', 'project', 'list', '--my-projects'), new RegExp(project));
  await asBob(
    'first password',
    'user',
    'password',
    'set',
    '--original-password',
    'first password',
    '--password',
    'second password',
  );
  t.is(fieldOf(await asBob('second password', 'user', 'show', bob.user), 'name'), 'bob');
  t.true(rowsOf(await asBob('second password', 'role', 'list')).size > 4);
  await asRoot('user', 'set', '--password', 'third password', 'bob');
  t.regex(await asBob('third password', 'volume', 'list'), /^\s*$/);
  await asRoot('role', 'remove', '--user', 'bob', '--project', 'web', 'member');
  t.false((await clients.run('openstack', [...signedIn(bob, 'third password'), 'volume', 'list'])).succeeded);
  await asRoot('user', 'set', '--disable', 'bob');
  t.is(fieldOf(await asRoot('user', 'show', 'bob'), 'enabled'), 'False');
  await asRoot('user', 'delete', 'bob');
  await asRoot('project', 'delete', 'web');
  t.regex((await clients.run('openstack', [...signedIn(root), 'user', 'show', 'bob'])).errors, /No user.*bob/);
  t.is(rowsOf(await asRoot('domain', 'list')).get('default')?.[0], 'Default');
});

testWithClients('an application credential signs in by its id, and by a clouds.yaml', async (t) => {
  const made = await asAnn('application', 'credential', 'create', '--role', 'member', 'job');
  const [id, secret] = [fieldOf(made, 'id'), fieldOf(made, 'secret')];
  t.true(rowsOf(await asAnn('application', 'credential', 'list')).has(id));
  const auth_url = `${local.client.url}/identity/v3`;
  const common = ['--os-auth-type', 'v3applicationcredential', '--os-auth-url', auth_url];
  const credential = ['--os-application-credential-id', id, '--os-application-credential-secret', secret];
  t.regex(await run('openstack', [...common, ...credential, 'volume', 'list']), /^\s*$/);
  const file = join(directory, 'clouds.yaml');
  const auth = { auth_url, application_credential_id: id, application_credential_secret: secret };
  const clouds = { blockstore: { auth_type: 'v3applicationcredential', auth, region_name: 'RegionOne' } };
  await writeFile(file, JSON.stringify({ clouds }));
  const other = new PythonClients(local.client.url, '', { OS_CLIENT_CONFIG_FILE: file });
  const ended = await other.run('openstack', ['--os-cloud', 'blockstore', 'volume', 'list']);
  await other[Symbol.asyncDispose]();
  t.true(ended.succeeded, ended.errors);
  await asAnn('application', 'credential', 'delete', 'job');
  t.false((await clients.run('openstack', [...common, ...credential, 'volume', 'list'])).succeeded);
});
