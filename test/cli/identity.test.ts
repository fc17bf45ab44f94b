import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { execa } from 'execa';
import { z } from 'zod';
import { PythonClients, arePythonClientsThere } from '../support/python-clients.ts';
import { CliPlace, type Ended } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

const password = 'correct horse';

/** The command line with a text at its standard input. */
async function runWith(input: string, ...args: string[]): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa('blockstore', args, {
    env: place.env,
    extendEnv: false,
    reject: false,
    input,
    preferLocal: false,
  });
  return { exitCode, stdout, stderr };
}

/** The command line with a file at its standard input. */
async function runOn(inputFile: string, ...args: string[]): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa('blockstore', args, {
    env: place.env,
    extendEnv: false,
    reject: false,
    inputFile,
    preferLocal: false,
  });
  return { exitCode, stdout, stderr };
}

const userSchema = z.looseObject({
  id: z.string(),
  roles: z.array(z.looseObject({ project: z.string(), name: z.string(), roles: z.array(z.string()) })),
  applicationCredentials: z.array(z.looseObject({ id: z.string(), name: z.string() })),
});

async function shown(user: string) {
  return userSchema.parse(await place.json('user', 'show', user));
}

test.serial('the first administrator is created with a password from the standard input', async (t) => {
  const { exitCode, stdout, stderr } = await runWith(`${password}\n`, 'user', 'create', '--admin', 'ann');
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /^[0-9a-f]{32}$/);
  const ann = await shown('ann');
  t.like(ann, { id: stdout, name: 'ann', enabled: true, hasPassword: true });
  t.like(ann.roles, [{ name: 'admin', roles: ['admin'] }]);
  t.false(JSON.stringify(ann).includes('scrypt'));
  t.regex((await place.run('user', 'show', 'ann')).stdout, /^project admin +admin$/m);
  t.like(await runWith(`${password}\n`, 'user', 'create', '--admin', 'ann'), { exitCode: 5 });
});

test.serial('a password is never an argument, and a weak or absent one is refused', async (t) => {
  for (const [input, args, message] of [
    ['', ['user', 'create', 'bob'], /no password or token/],
    ['short\n', ['user', 'create', 'bob'], /8 to 256 bytes/],
    [`${password}\n`, ['user', 'create', 'bob', '--role', 'member'], /--role requires --project/],
    [`${password}\n`, ['user', 'create', 'bob', '--admin', '--role', 'member'], /exclude each other/],
    [`${password}\n`, ['user', 'create', 'bob', '--project', 'absent'], /project absent does not exist/],
    [`${password}\n`, ['user', 'update', 'ann', '--password', password], /too many arguments/],
    [`${password}\n`, ['user', 'update', 'ann'], /nothing is to be changed/],
    [
      `${password}\n`,
      ['user', 'grant', 'ann', 'owner', '--project', 'admin'],
      /: argument 'owner' is invalid for <role>. Allowed choices/,
    ],
  ] as const) {
    const { exitCode, stderr, stdout } = await runWith(input, ...args);
    t.not(exitCode, 0, args.join(' '));
    t.regex(stderr, message);
    t.is(stdout, '');
  }
  t.like(await place.run('user', 'show', 'bob'), { exitCode: 4 });
});

test.serial('a password, a token and a key are read from a file', async (t) => {
  const file = place.file('password');
  await writeFile(file, `${password}\n`);
  t.like(await runOn(file, 'user', 'create', 'filed'), { exitCode: 0, stderr: '' });
  t.like(await runOn(file, 'user', 'update', 'filed', '--password'), { exitCode: 0, stderr: '' });
  for (const [args, message] of [
    [['user', 'create', 'absent'], /no password or token/],
    [['token', 'revoke'], /no password or token/],
    [['transfer', 'accept', 'absent'], /has no key/],
  ] as const) {
    const { exitCode, stderr } = await runOn('/dev/null', ...args);
    t.is(exitCode, 2, stderr);
    t.regex(stderr, message);
  }
  await place.run('user', 'delete', 'filed');
});

test.serial('a terminal does not show the password, and asks for it twice', async (t) => {
  const typing = place.terminal('blockstore user create typed');
  const answers = ['password: ', 'again: '];
  let output = '';
  typing.stdout.on('data', (data: Buffer) => {
    output += data.toString();
    if (answers[0] !== undefined && output.endsWith(answers[0])) {
      answers.shift();
      typing.stdin.write('hidden from all\r');
    }
  });
  const { exitCode, stdout } = await typing;
  t.is(exitCode, 0, stdout);
  t.false(stdout.includes('hidden'), stdout);
  t.like(await place.json('user', 'show', 'typed'), { hasPassword: true });
  t.like(await place.run('user', 'delete', 'typed'), { exitCode: 0 });
});

test.serial('projects and roles are made, shown, changed and removed', async (t) => {
  const web = (await place.run('project', 'create', 'web', '--description', 'of the web shop')).stdout;
  t.regex(web, /^[0-9a-f]{32}$/);
  const made = z
    .looseObject({ id: z.string(), password: z.string() })
    .parse(await place.json('user', 'create', 'bob', '--project', 'web', '--role', 'reader', '--generate'));
  t.regex(made.password, /^\w{24}$/);
  t.is((await runWith('', 'user', 'create', 'eve', '--generate')).stdout.split('\n').length, 2);
  t.like(await place.run('user', 'grant', 'bob', 'member', '--project', 'web'), { exitCode: 0, stdout: made.id });
  t.like((await shown('bob')).roles, [{ project: web, name: 'web', roles: ['reader', 'member'] }]);
  t.like(await place.json('project', 'show', 'web'), {
    id: web,
    description: 'of the web shop',
    users: [{ user: made.id, name: 'bob', roles: ['reader', 'member'] }],
    volumes: 0,
  });
  t.like(await place.run('user', 'revoke', 'bob', 'reader', '--project', web), { exitCode: 0 });
  const again = await place.run('user', 'revoke', 'bob', 'reader', '--project', web);
  t.is(again.exitCode, 4);
  t.regex(again.stderr, /does not have the role reader/);
  t.regex((await place.run('project', 'show', 'web')).stdout, /^user bob +member$/m);
  t.regex((await place.run('user', 'list')).stdout, /^ID +NAME +ENABLED +DESCRIPTION\n[0-9a-f]{32} +ann +yes +-/);
  t.like(await place.json('user', 'list', '--limit', '1'), { users: [{ name: 'ann' }] });
  const { next } = z.looseObject({ next: z.string() }).parse(await place.json('user', 'list', '--limit', '1'));
  t.like(await place.json('user', 'list', '--marker', next), { users: [{ name: 'bob' }, { name: 'eve' }] });
  t.like(await place.run('project', 'update', 'web', '--name', 'shop', '--disable'), { exitCode: 0, stdout: web });
  t.like(await place.json('project', 'list'), { projects: [{ name: 'admin' }, { name: 'shop', enabled: false }] });
  t.like(await place.run('project', 'update', 'shop', '--enable'), { exitCode: 0 });
  t.like(await place.run('user', 'delete', 'eve', 'nobody'), { exitCode: 4 });
  t.like(await place.run('user', 'show', 'eve'), { exitCode: 4 });
});

test.serial('a project with a volume is not deleted; the error names the fix', async (t) => {
  await place.daemon('n1');
  const { id } = z.looseObject({ id: z.string() }).parse(await place.json('project', 'show', 'shop'));
  const { stdout: volume } = await place.run('volume', 'create', '1', '--project', id);
  const refused = await place.run('project', 'delete', 'shop');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /project shop still has 1 volume\n/);
  t.regex(refused.stderr, new RegExp(`blockstore volume list --project ${id}`));
  t.like(await place.run('volume', 'delete', volume), { exitCode: 0 });
  t.like(await place.run('project', 'delete', 'shop'), { exitCode: 0, stdout: id });
  t.deepEqual((await shown('bob')).roles, []);
});

test.serial('tokens are issued and revoked', async (t) => {
  const { stdout: token } = await place.run('token', 'issue', 'ann');
  t.regex(token, /^bst_[\w-]+$/);
  t.like(await place.json('token', 'issue', 'ann', '--project', 'admin'), { roles: ['admin'] });
  t.like(await runWith(`${token}\n`, 'token', 'revoke'), { exitCode: 0, stdout: '' });
  t.like(await place.run('token', 'revoke', '--user', 'ann'), { exitCode: 0 });
  const refused = await place.run('token', 'issue', 'bob', '--project', 'admin');
  t.is(refused.exitCode, 4);
  t.regex(refused.stderr, /user bob has no role in project admin/);
});

test.serial('a clouds.yaml has a new application credential, whose secret is shown once', async (t) => {
  const url = 'http://192.0.2.7:8776/';
  const args = ['user', 'clouds-yaml', 'ann', '--project', 'admin'];
  const { exitCode, stdout, stderr } = await place.run(...args, '--url', url, '--expires', '1h', '--name', 'job');
  t.is(exitCode, 0, stderr);
  const [, id, secret = ''] =
    /^ {6}application_credential_id: "(\w{32})"\n {6}application_credential_secret: "(\w{24})"$/m.exec(stdout) ?? [];
  t.regex(stdout, /^ {6}auth_url: "http:\/\/192\.0\.2\.7:8776\/identity\/v3"$/m);
  const user = await place.run('user', 'show', 'ann', '--json');
  t.false(user.stdout.includes(secret) || secret === '');
  t.like((await shown('ann')).applicationCredentials, [{ id, name: 'job' }]);
  const events = await place.run('events');
  t.regex(events.stdout, /application-credential\.create/);
  t.false(events.stdout.includes(secret));
  const other = await place.run(...args);
  t.is(other.exitCode, 2);
  t.regex(other.stderr, /give the address of the API/);
  t.like(await place.json(...args, '--set', 'api_url=https://volumes.example', '--cloud', 'my cloud'), {
    clouds: { 'my cloud': { auth: { auth_url: 'https://volumes.example/identity/v3' } } },
  });
  t.like(await place.run('user', 'delete-credential', 'ann', 'job'), { exitCode: 0, stdout: id ?? '' });
  t.is((await shown('ann')).applicationCredentials.length, 1);
  t.like(await place.run('user', 'delete-credential', 'ann', 'job'), { exitCode: 4 });
});

const testWithClients = arePythonClientsThere ? test.serial : test.serial.skip;

testWithClients('openstack signs in by the clouds.yaml that is printed', async (t) => {
  const daemon = await place.daemon('n2', { fake_storage: 'true', api_listen: '127.0.0.1:0', auth_strategy: 'local' });
  const [, url = ''] = /the API is served at (http:[^"\s]+)/.exec(daemon.log) ?? [];
  const { stdout } = await place.run('user', 'clouds-yaml', 'ann', '--project', 'admin', '--url', url);
  await writeFile(place.file('clouds.yaml'), stdout);
  await using clients = new PythonClients(url, '', { OS_CLIENT_CONFIG_FILE: place.file('clouds.yaml') });
  const { succeeded, errors, output } = await clients.run('openstack', ['--os-cloud', 'blockstore', 'user', 'list']);
  t.true(succeeded, errors);
  t.regex(output, /ann/);
  t.true((await clients.run('openstack', ['--os-cloud', 'blockstore', 'volume', 'list'])).succeeded);
  await place.run('user', 'update', 'ann', '--disable');
  const refused = await clients.run('openstack', ['--os-cloud', 'blockstore', 'volume', 'list']);
  t.regex(refused.errors, /do not permit to sign in/);
});
