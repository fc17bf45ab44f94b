import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { z } from 'zod';
import { requiredCommands } from '../../lib/redis/required-commands.ts';
import { type Script, scripts } from '../../lib/redis/script-sources.ts';
import { ApiClient } from '../support/api.ts';
import { Blockstored } from '../support/blockstored.ts';
import { bundled } from '../support/bundle.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { RedisProcess } from './process.ts';

/**
 * Everything that daemon and command line can do, under the users of etc/redis-users.acl, on a Redis Cluster of one node with a
 * replica: so that every command that any Redis gets is sent here. What was sent is compared with what the file allows.
 */

const root = join(import.meta.dirname, '..', '..');
const bin = join(await bundled('test/redis/command-spy.ts'), 'bin');
const sample = join(root, 'etc', 'redis-users.acl');
const roles = { blockstored: 'change-this-too', blockstore: 'change-this' };
type Role = keyof typeof roles;

let directory: string;
const servers: RedisProcess[] = [];
const daemons: Blockstored[] = [];

test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blockstore-acl-'));
  const acl = join(directory, 'users.acl');
  await writeFile(acl, `${await readFile(sample, 'utf8')}user test on nopass ~* &* +@all\n`);
  const options = ['--aclfile', acl, '--masteruser', 'test', '--masterauth', 'any', '--cluster-enabled', 'yes'];
  const buses = [await freePort(), await freePort()];
  for (const bus of buses) {
    servers.push(
      await RedisProcess.start(directory, ...options, '--repl-diskless-sync-delay', '0', '--cluster-port', String(bus)),
    );
  }
  const [primary, replica] = servers;
  await primary?.cli(...admin, 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await replica?.cli(...admin, 'CLUSTER', 'MEET', '127.0.0.1', String(primary?.port), String(buses[0]));
  const id = await primary?.cli(...admin, 'CLUSTER', 'MYID');
  await until(
    async () => (await replica?.cli(...admin, 'CLUSTER', 'REPLICATE', id ?? '')) === 'OK',
    'the replica follows',
  );
  for (const server of servers) {
    const isWhole = async () => (await server.cli(...admin, 'CLUSTER', 'INFO')).includes('cluster_state:ok');
    await until(isWhole, 'the Cluster is whole');
  }
  await until(
    async () => (await primary?.cli(...admin, 'INFO', 'replication'))?.includes('state=online'),
    'the replica has all',
  );
});

test.after.always(async () => {
  for (const one of [...daemons, ...servers]) await one.kill();
  await rm(directory, { recursive: true, force: true });
});

const admin = ['--no-auth-warning', '--user', 'test', '--pass', 'any'];

function flagsOf(role: Role): Record<string, string> {
  const redis_cluster = servers.map(({ address }) => address).join(',');
  return { redis_cluster, redis_user: role, redis_password: roles[role], redis_min_replicas: '1' };
}

/** What a program of that role sends is written down. */
function spied(role: Role): Record<string, string> {
  return {
    COMMAND_SPY: join(directory, `${role}.sent`),
  };
}

async function daemon(name: string, more: Record<string, string> = {}): Promise<Blockstored> {
  const flags = {
    ...flagsOf('blockstored'),
    volume_driver: 'fake',
    volume_target: 'none',
    storage_name: name,
    state_dir: join(directory, name),
    report_interval: '1',
    node_down_time: '10',
    ...more,
  };
  const started = await Blockstored.start(flags, spied('blockstored'), join(bin, 'blockstored'));
  daemons.push(started);
  return started;
}

async function run(...args: string[]): Promise<string> {
  const flags = Object.entries(flagsOf('blockstore')).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  const { stdout, stderr, exitCode } = await execa(join(bin, 'blockstore'), [...flags, ...args], {
    reject: false,
    env: { ...spied('blockstore'), BLOCKSTORE_CONFIG: '/dev/null' },
  });
  if (/RedisDenied|refused|NOPERM/.test(stdout + stderr)) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  // Doctor and audit find what is no matter here.
  if (exitCode !== 0 && !/^(doctor|audit|rebuild)$/.test(args[0] ?? ''))
    throw new Error(`${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** The doctor tries what either role needs: it is not written down, and its findings name the missing rights. */
async function doctor(role: Role, as: 'compute' | 'storage'): Promise<string> {
  const flags = Object.entries(flagsOf(role)).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  const env = { BLOCKSTORE_CONFIG: '/dev/null' };
  const { stdout } = await execa(join(bin, 'blockstore'), [...flags, 'doctor', '--role', as], { reject: false, env });
  return stdout;
}

const listSchema = z.object({ volumes: z.array(z.object({ id: z.string() })) });
const oneSchema = z.object({ attachment: z.object({ id: z.string() }) });
const sentSchema = z.tuple([z.string(), z.string()]);

async function linesOf(role: Role): Promise<[string, string][]> {
  const lines = (await readFile(join(directory, `${role}.sent`), 'utf8')).trim().split('\n');
  return lines.map((line) => sentSchema.parse(JSON.parse(line)));
}

/** Scripts for a target with addresses, for another backend, and after a failover: nothing here runs them. */
const otherScripts = {
  blockstored: ['claim_shelf', 'release_shelf', 'hide_backend', 'begin_catch_up'],
  blockstore: ['hide_backend', 'check_shelf'],
} as const;

/** Commands for a target with addresses, and of a follower of events. */
const otherCommands = { blockstored: ['exists', 'zmscore'], blockstore: ['xread'] } as const;

/** Commands that a role sent itself, and those in the scripts that it ran. */
async function sentBy(role: Role): Promise<Set<string>> {
  const bySha = new Map(Array.from(scripts.values(), (script) => [script.sha, script]));
  const found = new Set<string>();
  const add = (name: string, sub: string) =>
    found.add(/^(config|xgroup|cluster)$/i.test(name) ? `${name}|${sub}`.toLowerCase() : name.toLowerCase());
  const addScript = (script?: Script) => {
    for (const command of script?.commands ?? []) add(command, '');
  };
  for (const [name, first] of await linesOf(role)) {
    add(name, first);
    if (name === 'evalsha') addScript(bySha.get(first));
  }
  for (const name of otherScripts[role]) addScript(scripts.get(name));
  for (const name of otherCommands[role]) add(name, '');
  return found;
}

/** What the page asks for. */
const ofPage = ['cluster', 'nodes', 'operations', 'statuses', 'events'].map((noun) => `blockstore/${noun}`);

/** It waits for the node in the daemon. */
async function attachByApi(client: ApiClient, t: ExecutionContext): Promise<void> {
  const path = '/v3/default/volumes';
  const find = async () =>
    listSchema.parse((await client.get(`${path}/detail?name=five&status=available`)).body).volumes;
  await until(async () => (await find()).length === 1, 'the volume is available');
  const [{ id } = { id: '' }] = await find();
  const attachment = { volume_uuid: id, connector: { host: 'h1' } };
  const made = await client.version(70).post('/v3/default/attachments', { attachment });
  t.is(made.status, 200);
  const { attachment: one } = oneSchema.parse(made.body);
  const ended = await client.version(70).delete(`/v3/default/attachments/${one.id}`);
  t.is(ended.status, 200);
}

test('the sample users permit everything that is used, and nothing else', async (t) => {
  t.timeout(600_000);
  const first = await daemon('n1', { api_listen: '127.0.0.1:0' });
  const second = await daemon('n2', { fake_storage_bytes: '1', metrics_listen: '127.0.0.1:0' });
  const [, metrics] = /health and metrics are served at (\S+?)["\s]/.exec(second.log) ?? [];
  t.regex(await (await fetch(`${metrics}/metrics`)).text(), /^blockstore_topic_length 0$/m);
  const ids: string[] = [];
  for (const name of ['one', 'two', 'three', 'four']) ids.push(await run('volume', 'create', '1', '--name', name));
  t.true(
    ids.every((id) => /^[\w-]{36}$/.test(id)),
    ids.join('\n'),
  );
  await run('volume', 'attach', 'one', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  await run('volume', 'detach', 'one');
  await run('volume', 'delete', 'one');
  await run('volume', 'create', '1', '--name', 'later', '--no-wait');
  await run('volume', 'wait', 'later');
  t.regex(await run('volume', 'list'), /two/);
  t.regex(await run('volume', 'show', 'two'), /available/);
  t.regex(await run('events'), /volume\.create\.start/);
  t.regex(await run('__complete', 'volume', 'show', ''), /two/);
  const [, password = ''] = (await run('user', 'create', 'ann', '--admin', '--generate')).split('\n');
  const local = await daemon('n4', { api_listen: '127.0.0.1:0', auth_strategy: 'local' });
  const signIn = new ApiClient(/the API is served at (http:[^"\s]+)/.exec(local.log)?.[1] ?? '');
  const identity = (secret: string) => ({
    auth: { identity: { methods: ['password'], password: { user: { name: 'ann', password: secret } } } },
  });
  t.is((await signIn.post('/identity/v3/auth/tokens', identity('a wrong guess'))).status, 401);
  const signedIn = await signIn.post('/identity/v3/auth/tokens', identity(password));
  t.is(signedIn.status, 201);
  const known = signIn.with({ 'x-auth-token': signedIn.headers.get('x-subject-token') ?? '' });
  t.is((await known.get('/v3/volumes')).status, 200);
  t.is((await known.post('/identity/v3/projects', { project: { name: 'web' } })).status, 201);
  await run('project', 'delete', 'web');
  t.is(await local.stop(), 0, local.log);
  t.regex(await run('user', 'clouds-yaml', 'ann', '--project', 'admin', '--url', 'http://a'), /secret/);
  t.regex(await run('token', 'issue', 'ann'), /^bst_/);
  await run('user', 'delete', 'ann');
  await run('project', 'delete', 'admin');
  t.regex(await run('node', 'list'), /n1/);
  t.regex(await run('node', 'show', 'n1'), /n1/);
  t.regex(await doctor('blockstore', 'compute'), /^ok +Redis permits every command of the command line$/m);
  t.regex(await doctor('blockstored', 'storage'), /^ok +Redis permits every command of the daemon$/m);
  const api = new ApiClient(/the API is served at (http:[^"\s]+)/.exec(first.log)?.[1] ?? '');
  t.is((await api.post('/v3/default/volumes', { volume: { size: 1, name: 'five' } })).status, 202);
  await attachByApi(api, t);
  for (const what of ['volumes/detail', 'attachments/detail', ...ofPage])
    t.is((await api.version(70).get(`/v3/default/${what}`)).status, 200, what);
  await servers[0]?.cli(...admin, 'EXPIRE', '{blockstore}:volumes', '600');
  for (const what of [['audit'], ['audit', '--repair'], ['rebuild']]) await run(...what);
  first.signal('SIGSTOP');
  second.signal('SIGSTOP');
  await run('volume', 'create', '1', '--name', 'waiting', '--no-wait');
  t.regex(await run('status'), /under way/);
  second.signal('SIGCONT');
  await first.kill();
  await until(() => run('node', 'lost', 'n1').then(() => true), 'n1 is declared lost');
  await run('volume', 'delete', 'two');
  const again = await daemon('n1');
  t.is(await again.stop(), 0, again.log);
  t.is(await second.stop(), 0, second.log);
  const third = await daemon('n3');
  t.is(await third.stop(), 0, third.log);
  await run('node', 'remove', 'n3');
  t.false(/NOPERM|refused|Denied/.test(first.log + again.log + second.log), first.log + again.log + second.log);
  for (const role of ['blockstored', 'blockstore'] as const) {
    const line = (await readFile(sample, 'utf8')).split('\n').find((user) => user.startsWith(`user ${role} `)) ?? '';
    const allowed = Array.from(line.matchAll(/ \+([\w|]+)/g), ([, command = '']) => command);
    t.deepEqual(allowed.toSorted(), [...(await sentBy(role))].toSorted(), role);
    const required = requiredCommands(role === 'blockstored' ? 'daemon' : 'command line', { isCluster: true });
    t.deepEqual(Array.from(required, (name) => name.toLowerCase()).toSorted(), allowed.toSorted(), `${role}: doctor`);
  }
});
