import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { NodeCommands } from '../../../lib/client/node-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { ceph, real, startCeph } from '../../lib/drivers/rbd/pools.ts';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

/** Two daemons, as processes, on one pool of a real Ceph; node_down_time is 4 s. */

startCeph();

let server: RedisServer;
let directory: string;
let store: Store;
const cleaners: (() => Promise<unknown>)[] = [];

test.beforeEach(async () => {
  server = await RedisServer.start();
  directory = await mkdtemp(join(tmpdir(), 'blockstore-take-over-'));
  const { flags } = loadFlags({ embedded: { redis_url: server.url } });
  const connection = await connect(flags, silentLog);
  cleaners.push(() => connection.close());
  store = new Store(connection, flags.redis_prefix);
});

test.afterEach.always(async () => {
  for (const clean of cleaners.splice(0).toReversed()) await clean();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const deadline = { deadlineMs: 120_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

async function start(node: string): Promise<Blockstored> {
  const daemon = await Blockstored.start({
    storage_name: node,
    volume_driver: 'rbd',
    volume_target: 'none',
    rbd_pool: 'shared',
    rbd_ceph_conf: ceph().conf,
    rbd_capacity_gib: '3',
    state_dir: join(directory, node),
    redis_url: server.url,
    report_interval: '2',
    node_down_time: '4',
    log_format: 'human',
  });
  cleaners.push(() => daemon.kill());
  return daemon;
}

function nodeIs(node: string, state: string): Promise<unknown> {
  return until(async () => (await lookupNode(store, node)).state === state, `${node} is ${state}`);
}

function images(): Promise<string> {
  return ceph().run('rbd', ['ls', 'shared']);
}

real(
  'rbd volumes of a killed daemon are served by the other one, and stay with it when the first returns',
  async (t) => {
    await ceph().createPool('shared');
    const commands = new VolumeCommands(store, new RequestClient(store), 'volume');
    const first = await start('n1');
    await start('n2');
    const newVolume = { size: 0, userId: 'user', projectId: 'project', node: 'n1' };
    const free = await commands.create(newVolume, deadline);
    const attached = await commands.create(newVolume, deadline);
    const deleted = await commands.create(newVolume, deadline);
    await commands.attach(attached.id, attachment, deadline);

    await first.kill();
    const deleting = commands.delete(deleted.id, deadline); // accepted while the lease of the killed daemon is valid
    await nodeIs('n1', 'down');
    const began = performance.now();
    t.like(await commands.attach(free.id, attachment, deadline), { node: 'n2', attachStatus: 'attached' });
    t.log(`attached ${Math.round(performance.now() - began)} ms after its node was down`);
    t.like(await commands.detach(attached.id, deadline), { node: 'n2', attachStatus: 'detached' });
    await deleting;
    t.false((await images()).includes(deleted.id));

    const back = await start('n1');
    const nodeCommands = new NodeCommands(store, new RequestClient(store), 'volume');
    for (const node of ['n1', 'n2']) {
      const { findings } = await nodeCommands.audit(node, { repair: true, remove: [] }, deadline);
      t.deepEqual(findings, [], node);
      t.deepEqual((await lookupNode(store, node)).problems, [], node);
    }
    for (const { id } of [free, attached]) {
      t.is((await volumesOf(store).lookup(id)).node, 'n2');
      t.true((await images()).includes(id));
    }
    t.notRegex(back.log, /ERROR|error:/);
    t.deepEqual((await store.redis.keys(`${store.keys.prefix}abandoned:*`)).length, 0);
  },
);

real('a daemon that was paused longer than node_down_time finds its rbd volume with another one', async (t) => {
  const commands = new VolumeCommands(store, new RequestClient(store), 'volume');
  const first = await start('n1');
  await start('n2');
  const { id } = await commands.create({ size: 0, userId: 'user', projectId: 'project', node: 'n1' }, deadline);
  first.signal('SIGSTOP');
  const attaching = commands.attach(id, attachment, deadline); // its command waits in the topic of n1
  await nodeIs('n1', 'down');
  t.like(await attaching, { node: 'n2', attachStatus: 'attached' });
  first.signal('SIGCONT');
  await nodeIs('n1', 'up');
  await until(async () => (await store.redis.xlen(store.keys.topic('volume.n1'))) === 0, 'it has read its commands');
  await commands.detach(id, deadline);
  await commands.delete(id, deadline);
  t.false(first.hasEnded);
  t.deepEqual((await lookupNode(store, 'n1')).problems, []);
});
