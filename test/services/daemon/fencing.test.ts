import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type Server, type Socket, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { silentLog } from '../../../lib/log.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

/**
 * Two daemons under one node name, on one pool, as after a take-over: the one that lost the name changes nothing more. Times
 * are a twentieth of those in operation: node_down_time is 3 s here.
 */

let server: RedisServer;
let directory: string;
let store: Store;
let commands: VolumeCommands;
const cleaners: (() => Promise<unknown>)[] = [];

test.beforeEach(async () => {
  server = await RedisServer.start();
  directory = await mkdtemp(join(tmpdir(), 'blockstore-fencing-'));
  const { flags } = loadFlags({ embedded: { redis_url: server.url } });
  const connection = await connect(flags, silentLog);
  cleaners.push(() => connection.close());
  store = new Store(connection, flags.redis_prefix);
  commands = new VolumeCommands(store, new RequestClient(store), flags.volume_topic);
});

test.afterEach.always(async () => {
  for (const clean of cleaners.splice(0).toReversed()) await clean();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const newVolume = { size: 0, userId: 'user', projectId: 'project' };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
const deadline = { deadlineMs: 120_000 };

/** Node n1 from a state directory of its own: a machine of its own. */
async function start(machine: string, redis_url = server.url): Promise<Blockstored> {
  const daemon = await Blockstored.start({
    storage_name: 'n1',
    volume_driver: 'file',
    volume_target: 'none',
    volume_pool_dir: join(directory, 'pool'),
    state_dir: join(directory, machine),
    redis_url,
    report_interval: '1',
    node_down_time: '3',
    log_format: 'human',
  });
  cleaners.push(() => daemon.kill());
  return daemon;
}

function nodeIs(state: string): Promise<unknown> {
  return until(async () => (await lookupNode(store, 'n1')).state === state, `the node is ${state}`);
}

/** All records and indexes of volumes: to be the same before and after. */
async function records(): Promise<Record<string, unknown>> {
  const keys = (await store.redis.keys(`${store.keys.prefix}*`)).filter((key) =>
    /:volume:|:tasks$|aoe:|:volumes$/.test(key),
  );
  const values = keys.map(async (key) => {
    const isHash = (await store.redis.type(key)) === 'hash';
    return [key, isHash ? await store.redis.hgetall(key) : await store.redis.zrange(key, '0', '-1')] as const;
  });
  return Object.fromEntries((await Promise.all(values)).toSorted(([one], [other]) => one.localeCompare(other)));
}

async function allAgrees(): Promise<void> {
  await until(async () => {
    const problems = await disagreements(store, []);
    if (problems.length > 0) throw new Error(problems.join('; '));
    return true;
  }, 'all agrees');
}

test.serial('a daemon paused until another took over its name exits and makes no changes', async (t) => {
  const paused = await start('first');
  const { id } = await commands.create(newVolume, deadline);
  const gone = await commands.create(newVolume, deadline);
  paused.signal('SIGSTOP');
  await commands.delete(gone.id); // fetched by a daemon that is paused, perhaps
  await commands.attach(id, attachment);
  await nodeIs('down');
  await start('second');
  await until(async () => (await store.redis.zcard(store.keys.tasks('n1'))) === 0, 'the second one did it');
  const added = await commands.create(newVolume, deadline);
  const before = await records();
  t.deepEqual(await store.redis.zrange(store.keys.volumes(), '0', '-1'), [id, added.id]);
  paused.signal('SIGCONT');
  t.is(await paused.ended(), 5);
  t.regex(paused.log, /this daemon lost the lease of node name n1/);
  t.deepEqual(await records(), before);
  await commands.detach(id, deadline);
  await allAgrees();
});

test.serial('commands fetched by a paused daemon are carried out by its successor', async (t) => {
  const paused = await start('first');
  const volumes = await Promise.all(Array.from({ length: 8 }, () => commands.create(newVolume, deadline)));
  paused.signal('SIGSTOP');
  const deleted = Promise.all(volumes.map(({ id }) => commands.delete(id, { deadlineMs: 120_000 })));
  await nodeIs('down');
  await start('second');
  await deleted;
  paused.signal('SIGCONT');
  t.is(await paused.ended(), 5);
  await allAgrees();
  t.deepEqual(await store.redis.zrange(store.keys.volumes(), '0', '-1'), []);
});

test.serial('a daemon cut off from Redis continues after reconnecting, unless it lost its lease', async (t) => {
  const cable = await Cable.start(join(directory, 'cable.sock'), server.socket);
  cleaners.push(() => cable.close());
  const cutOff = await start('first', cable.url);
  const { id } = await commands.create(newVolume, deadline);
  cable.cut();
  await nodeIs('down');
  cable.restore();
  await nodeIs('up');
  t.false(cutOff.hasEnded, 'nobody else had the name');
  await commands.attach(id, attachment, deadline);

  cable.cut();
  await nodeIs('down');
  await start('second');
  await commands.detach(id, deadline);
  const before = await records();
  cable.restore();
  t.is(await cutOff.ended(), 5);
  t.deepEqual(await records(), before);
  await allAgrees();
});

/** A way to Redis that can be cut. */
class Cable {
  readonly url: string;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private isCut = false;

  private constructor(socket: string, to: string) {
    this.url = `unix:${socket}`;
    this.server = createServer((near) => {
      const far = createConnection(to);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(one);
        one.on('error', () => {});
        one.on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
      if (this.isCut) near.destroy();
    }).listen(socket);
  }

  static async start(socket: string, to: string): Promise<Cable> {
    const cable = new Cable(socket, to);
    await once(cable.server, 'listening');
    return cable;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  restore(): void {
    this.isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
  }
}
