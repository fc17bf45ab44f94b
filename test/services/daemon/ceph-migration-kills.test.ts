import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import test from 'ava';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { data } from '../../lib/drivers/rbd/data.ts';
import { ceph, startCeph } from '../../lib/drivers/rbd/pools.ts';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { Hopeless, until } from '../../support/until.ts';

/** Real daemons are killed while a volume moves between a real Ceph and files. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 240_000 };
const pool = 'volumes';

let root: string;
let server: RedisServer;
let store: Store;
const daemons = new Map<string, Blockstored>();

startCeph();

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'ceph-migration-kills-'));
  server = await RedisServer.start();
  store = new Store(await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, silentLog), 'blockstore');
});

test.after.always(async () => {
  for (const daemon of daemons.values()) await daemon.kill();
  await store.connection.close();
  await server.stop();
  await rm(root, { recursive: true });
});

async function start(name: 'files' | 'ceph'): Promise<void> {
  const storage: Record<string, string> =
    name === 'files'
      ? { volume_driver: 'file', volume_pool_dir: join(root, 'files') }
      : { volume_driver: 'rbd', rbd_pool: pool, rbd_ceph_conf: ceph().conf, rbd_capacity_gib: '10' };
  const daemon = await Blockstored.start({
    storage_name: name,
    redis_url: server.url,
    state_dir: join(root, `state-${name}`),
    volume_target: 'none',
    report_interval: '1',
    node_down_time: '600',
    migration_rate: '10',
    ...storage,
  });
  daemons.set(name, daemon);
}

function urlOf(id: string): string {
  return `rbd:${pool}/volume-${id}:conf=${ceph().conf}`;
}

async function dataOf(id: string): Promise<Buffer> {
  const { node } = await volumesOf(store).lookup(id);
  if (node === 'files') return readFile(join(root, 'files', `volume-${id}`));
  const file = join(root, randomUUID());
  await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', urlOf(id), file]);
  return readFile(file);
}

/** Names of what is stored of volumes in both places, whole or in part. */
async function stored(): Promise<{ files: string[]; images: string[] }> {
  const files = (await readdir(join(root, 'files'))).filter((name) => /^volume-[0-9a-f-]{36}$/.test(name));
  const images = (await ceph().run('rbd', ['--pool', pool, 'ls'])).split('\n').filter((name) => name !== '');
  return { files, images };
}

data('a migration from and to Ceph ends well although either daemon is killed while data are sent', async (t) => {
  await mkdir(join(root, 'files'));
  await ceph().createPool(pool);
  await start('files');
  await start('ceph');
  const volumes = new VolumeCommands(store, new RequestClient(store), 'volume');
  const migrations = new MigrationCommands(store, volumes, 'volume');
  const request = { size: 0, userId: 'user', projectId: 'project', node: 'ceph' };
  const { id } = await volumes.create(request, deadline);
  const before = randomBytes(100 * MiB);
  await writeFile(join(root, 'bytes'), before);
  await execa('qemu-io', ['-f', 'raw', '-c', `write -s ${join(root, 'bytes')} 0 ${before.length}`, urlOf(id)]);

  for (const victim of ['source', 'destination'] as const) {
    for (const from of ['ceph', 'files'] as const) {
      const to = from === 'ceph' ? 'files' : 'ceph';
      const point = `${victim} killed in a migration from ${from}`;
      if ((await volumesOf(store).lookup(id)).node !== from) await migrations.migrate(id, { to: from }, deadline);
      await migrations.migrate(id, { to });
      await until(async () => ((await volumesOf(store).lookup(id)).progress ?? 0) > 5, 'data are sent', 60_000);
      const killed = victim === 'source' ? from : to;
      await daemons.get(killed)?.kill();
      t.is((await volumesOf(store).lookup(id)).node, from, `${point}: it has not left`);
      await start(killed);
      const end = await until(
        async () => {
          const volume = await volumesOf(store).lookup(id);
          if (volume.status.startsWith('error')) throw new Hopeless(`${point}: ${JSON.stringify(volume)}`);
          return volume.status === 'available' && !volume.task && volume;
        },
        point,
        240_000,
      );
      // The source goes on with it; one whose destination was away can have failed.
      if (victim === 'source') t.is(end.node, to, point);
      t.true((await dataOf(id)).equals(before), point);
      const alone =
        end.node === 'ceph' ? { files: [], images: [`volume-${id}`] } : { files: [`volume-${id}`], images: [] };
      const isAlone = async () => JSON.stringify(await stored()) === JSON.stringify(alone);
      await until(isAlone, `${point}: nothing else of it stays`, 120_000);
    }
  }
});
