import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { silentLog } from '../../../lib/log.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

/** The daemon as real processes, several on one Redis. */

let server: RedisServer;
let directory: string;
const daemons: Blockstored[] = [];

test.beforeEach(async () => {
  server = await RedisServer.start();
  directory = await mkdtemp(join(tmpdir(), 'blockstore-daemons-'));
});

test.afterEach.always(async () => {
  for (const daemon of daemons.splice(0)) await daemon.kill();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

function flagsOf(name: string, given: Record<string, string> = {}): Record<string, string> {
  return {
    storage_name: name,
    volume_driver: 'file',
    volume_target: 'none',
    volume_pool_dir: join(directory, name, 'volumes'),
    state_dir: join(directory, name),
    redis_url: server.url,
    report_interval: '1',
    node_down_time: '3',
    log_format: 'human',
    ...given,
  };
}

async function start(name: string, given: Record<string, string> = {}): Promise<Blockstored> {
  const daemon = await Blockstored.start(flagsOf(name, given));
  daemons.push(daemon);
  return daemon;
}

async function client(): Promise<{ store: Store; commands: VolumeCommands; close: () => Promise<void> }> {
  const { flags } = loadFlags({ embedded: { redis_url: server.url } });
  const connection = await connect(flags, silentLog);
  const store = new Store(connection, flags.redis_prefix);
  const commands = new VolumeCommands(store, new RequestClient(store), flags.volume_topic);
  return { store, commands, close: () => connection.close() };
}

const idsOf = (volumes: readonly { id: string }[]) => volumes.map(({ id }) => id).toSorted();
const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 120_000 };

test.serial('multi_node: three daemons with different flags fill up, each with its own capacity', async (t) => {
  const fake = (count: number) => ({ volume_driver: 'fake', fake_storage_bytes: String(count * 100 * 2 ** 20) });
  await Promise.all([
    start('n1', fake(3)),
    start('n2', { ...fake(5), storage_availability_zone: 'east' }),
    start('n3', fake(4)),
  ]);
  const { store, commands, close } = await client();
  t.teardown(close);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 15 }, () => commands.create({ ...newVolume, size: 0 }, deadline)),
  );
  const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
  t.is(made.length, 3 + 5 + 4);
  t.deepEqual(refused, ['NoSpace', 'NoSpace', 'NoSpace']);
  const byNode = (name: string) => made.filter((volume) => volume.node === name);
  t.deepEqual(
    ['n1', 'n2', 'n3'].map((name) => byNode(name).length),
    [3, 5, 4],
  );
  t.true(byNode('n2').every((volume) => volume.availabilityZone === 'east'));
  await Promise.all(made.map((volume) => commands.delete(volume.id, deadline)));
  t.is(await store.redis.zcard(store.keys.volumes()), 0);
});

test.serial('kill -9 during creations: the next start finishes them, and no volume is created twice', async (t) => {
  const daemon = await start('n1', { max_operations: '2' });
  const { store, commands, close } = await client();
  t.teardown(close);
  const asked = await Promise.all(Array.from({ length: 40 }, () => commands.create({ ...newVolume, size: 0 })));
  await daemon.kill();
  await start('n1');
  await until(async () => {
    const volumes = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
    return volumes.every((volume) => volume.status === 'available');
  }, 'every volume is available');
  const volumes = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
  t.deepEqual(idsOf(volumes), idsOf(asked));
  t.is(await store.redis.xlen(store.keys.topic('volume.n1')), 0, 'no command is left');
  t.is(await store.redis.zcard(store.keys.tasks('n1')), 0);
});

test.serial('a crashed daemon reacquires its name at once; a stopped one releases it', async (t) => {
  const daemon = await start('n1', { node_down_time: '600' });
  await daemon.kill();
  const again = await start('n1', { node_down_time: '600' });
  t.is(await again.stop(), 0);
  const { store, close } = await client();
  t.teardown(close);
  t.is((await lookupNode(store, 'n1')).state, 'stopped');
});

test.serial('a daemon that lost its lease makes no more changes and exits', async (t) => {
  const paused = await start('n1');
  const { store, commands, close } = await client();
  t.teardown(close);
  paused.signal('SIGSTOP');
  await until(async () => (await lookupNode(store, 'n1')).state === 'down', 'the paused node is down');
  const asked = await commands.create({ ...newVolume, size: 0 }).catch((error: { code: string }) => error.code);
  t.is(asked, 'NoNodeUp', 'a node that is down is given nothing');
  await start('n1', { state_dir: join(directory, 'other'), volume_pool_dir: join(directory, 'other', 'volumes') });
  paused.signal('SIGCONT');
  t.is(await paused.ended(), 5);
  t.regex(paused.log, /this daemon lost the lease of node name n1/);
  t.is((await lookupNode(store, 'n1')).state, 'up');
});

test.serial('a daemon stops in order while Redis is unreachable, and logs how the node is shown', async (t) => {
  const daemon = await start('node1');
  await server.down('SIGKILL');
  t.is(await daemon.stop(), 0, daemon.log);
  t.regex(daemon.log, /warn +could not release the lease; the node shows as down when it expires: Redis at/);
  t.regex(daemon.log, /blockstored has stopped/);
});

test.serial('a daemon whose terminal is closed stops in order', async (t) => {
  const daemon = await start('n1');
  daemon.signal('SIGHUP');
  t.is(await daemon.ended(), 0);
  t.regex(daemon.log, /SIGHUP: stopping[\s\S]*blockstored has stopped/);
});

test.serial('a second signal ends a stop at once', async (t) => {
  const daemon = await start('n1');
  daemon.signal('SIGSTOP'); // both arrive before the first is handled
  daemon.signal('SIGTERM');
  daemon.signal('SIGINT');
  daemon.signal('SIGCONT');
  t.is(await daemon.ended(), 130);
});

test.serial('a failed start prints one line, a hint and an exit code', async (t) => {
  const cases: [Record<string, string>, number, RegExp][] = [
    [
      { redis_url: 'unix:/no/such.sock' },
      7,
      /Redis at \/no\/such\.sock cannot be reached.*\n {2}start Redis, or set redis_host/,
    ],
    [
      { slots_per_shelf: '900', volume_clear: 'x' },
      2,
      /volume_clear = "x".*\n.*slots_per_shelf = "900".*\n {2}see "blockstored --help"/,
    ],
    [{ state_dir: '/proc/no/state' }, 1, /the state directory \/proc\/no\/state cannot be used/],
    [{ state_dir: '/dev/null/state' }, 1, /the state directory \/dev\/null\/state cannot be used/],
    [
      { volume_driver: 'lvm', volume_group: 'no-such-group' },
      1,
      /(no-such-group does not exist|lvm is not installed|LVM)/,
    ],
    [{ volume_target: 'aoe', aoe_eth_dev: 'no-such-if' }, 1, /network interface no-such-if/],
  ];
  for (const [given, exitCode, words] of cases) {
    const ended = await Blockstored.run(flagsOf('n1', given));
    t.is(ended.exitCode, exitCode, ended.log);
    t.regex(ended.log, words);
    t.false(/\n {4}at /.test(ended.log), 'no stack trace');
  }
});

test.serial('a wrong Redis password is reported as such and never printed', async (t) => {
  await server.stop();
  server = await RedisServer.start('--requirepass', 'right-password');
  const ended = await Blockstored.run(flagsOf('n1', { redis_password: 'wrong-password' }));
  t.is(ended.exitCode, 8, ended.log);
  t.regex(ended.log, /denied access/);
  t.false(ended.log.includes('wrong-password'));
  const daemon = await start('n1', { redis_password: 'right-password' });
  t.false(daemon.log.includes('right-password'));
});

test.serial('a node whose host is renamed continues under its name, and another storage_name is refused', async (t) => {
  const first = await start('n1');
  await first.stop();
  const { storage_name: _, ...flags } = flagsOf('n1');
  const renamed = await Blockstored.start(flags);
  daemons.push(renamed);
  t.regex(renamed.log, /continues as node n1[\s\S]*storage_name = n1[\s\S]*is ready: node n1/);
  await renamed.stop();
  const refused = await Blockstored.run({ ...flags, storage_name: 'n2' });
  t.is(refused.exitCode, 5);
  t.regex(refused.log, /belongs to node n1, not to n2/);
});

test.serial('a second daemon on a state directory is refused until the first one is gone, killed or not', async (t) => {
  const first = await start('n1');
  const refused = await Blockstored.run(flagsOf('n1'));
  t.is(refused.exitCode, 5);
  t.regex(refused.log, /another daemon uses the state directory/);
  await first.kill();
  await t.notThrowsAsync(start('n1'));
});

test.serial(
  'a daemon on a copy of a state directory, or beside a removed lock, takes no name from a running one',
  async (t) => {
    const first = await start('n1');
    const copy = join(directory, 'copy');
    await cp(join(directory, 'n1'), copy, { recursive: true });
    const onCopy = await Blockstored.run(flagsOf('n1', { state_dir: copy }));
    t.is(onCopy.exitCode, 5, onCopy.log);
    t.regex(onCopy.log, /node name n1 is leased to .*on the same state directory or a copy of it\n\s+stop that daemon/);
    await rm(join(directory, 'n1', 'lock'));
    const unlocked = await Blockstored.run(flagsOf('n1'));
    t.is(unlocked.exitCode, 5, unlocked.log);
    t.false(first.hasEnded, first.log);
  },
);
