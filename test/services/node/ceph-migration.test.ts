import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import test from 'ava';
import { cancelMigration } from '../../../lib/client/cancel-migration.ts';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import type { RbdDriver } from '../../../lib/drivers/rbd/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { data } from '../../lib/drivers/rbd/data.ts';
import { ceph, driverOn, newPool, startCeph } from '../../lib/drivers/rbd/pools.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Volumes that move between pools of a real Ceph and files, where several nodes reach the same pool. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 240_000 };
const slowly = { migration_rate: '10' };
const newVolume = { size: 0, userId: 'user', projectId: 'project' };

let place: string;
let cluster: Cluster;
let store: Store;
let commands: ClusterCommands;
let drivers: Record<string, VolumeDriver>;

startCeph();

test.beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'ceph-migration-'));
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
  drivers = {};
});

test.afterEach.always(async (t) => {
  await cluster?.close();
  const open = (await readdir(place).catch(() => [])).filter((name) => name.startsWith('open-'));
  for (const directory of open) t.deepEqual(await readdir(join(place, directory)), [], 'no open image is left');
  await rm(place, { recursive: true });
});

/** A node with files and with these pools, as backends of the same names. */
async function node(name: string, pools: Record<string, string> = {}, flags = {}): Promise<BlockStore> {
  const directory = join(place, `${name}@files`);
  await mkdir(directory, { recursive: true });
  drivers[`${name}@files`] = new FileDriver({ directory });
  for (const [backend, pool] of Object.entries(pools)) {
    drivers[`${name}@${backend}`] = driverOn({ pool, directory: join(place, `open-${name}-${backend}`) });
  }
  const backends = ['files', ...Object.keys(pools)].map((backend) => ({
    name: backend,
    driver: driverAt(`${name}@${backend}`),
  }));
  return cluster.node(name, { report_interval: '1', node_down_time: '5', stop_timeout: '0', ...flags }, backends);
}

function driverAt(at: string): VolumeDriver {
  const driver = drivers[at];
  if (!driver) throw new Error(`no driver at ${at}`);
  return driver;
}

async function poolOf(driver: Promise<RbdDriver>): Promise<string> {
  return (await driver).pool;
}

function urlAt(at: string, id: string): string {
  const path = driverAt(at).localPath({ id, size: 0, sizeBytes: 100 * MiB, labels: {} });
  return path.startsWith('rbd:') ? `${path}:conf=${ceph().conf}` : path;
}

async function dataAt(at: string, id: string): Promise<Buffer> {
  const file = join(place, randomUUID());
  await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', urlAt(at, id), file]);
  return readFile(file);
}

/** A volume with data at its beginning, in its middle and at its end; the rest are holes. */
async function volumeAt(at: string): Promise<{ id: string; data: Buffer }> {
  const all = Buffer.alloc(100 * MiB);
  const offsets = [0, 40 * MiB + 512, 99 * MiB];
  for (const offset of offsets) randomBytes(MiB).copy(all, offset);
  const { id } = await commands.commands.create({ ...newVolume, node: at }, deadline);
  for (const offset of offsets) await write(at, id, all.subarray(offset, offset + MiB), offset);
  return { id, data: all };
}

/** One whose data take ten seconds to send at the rate `slowly`. */
async function fullVolumeAt(at: string): Promise<{ id: string; data: Buffer }> {
  const all = randomBytes(100 * MiB);
  const { id } = await commands.commands.create({ ...newVolume, node: at }, deadline);
  await write(at, id, all, 0);
  return { id, data: all };
}

async function write(at: string, id: string, bytes: Buffer, offset: number): Promise<void> {
  const file = join(place, randomUUID());
  await writeFile(file, bytes);
  await execa('qemu-io', ['-f', 'raw', '-c', `write -s ${file} ${offset} ${bytes.length}`, urlAt(at, id)]);
  await rm(file);
}

async function volumesAt(at: string): Promise<string[]> {
  return (await driverAt(at).listVolumes()).map(({ id }) => id);
}

/** The volume is there alone, and its labels say nothing of a migration that is under way. */
async function isAloneAt(at: string, id: string): Promise<void> {
  const others = Object.keys(drivers).filter((other) => driverAt(other).pool !== driverAt(at).pool);
  const isAlone = async () => (await Promise.all(others.map(volumesAt))).every((ids) => !ids.includes(id));
  await until(isAlone, `volume ${id} is at ${at} alone`, 60_000);
}

async function labelsAt(at: string, id: string): Promise<Record<string, string>> {
  const image = `${driverAt(at).pool}/volume-${id}`;
  const stdout = await ceph().run('rbd', ['image-meta', 'get', image, 'blockstore:labels']);
  return JSON.parse(stdout);
}

async function hasBegun(id: string): Promise<void> {
  await until(async () => ((await volumesOf(store).find(id))?.progress ?? 0) > 5, 'data are sent', 60_000);
}

const migrate = (id: string, to?: string) => commands.migrations.migrate(id, to === undefined ? {} : { to }, deadline);

data('a volume moves from files to Ceph, to another pool and back, with its data and nothing else', async (t) => {
  const [a, b] = await Promise.all([poolOf(newPool()), poolOf(newPool())]);
  await node('n1', { a });
  await node('n2', { a, b });
  const { id, data: before } = await volumeAt('n1@files');
  t.like(await migrate(id, 'n2@a'), { node: 'n2', backend: 'a', status: 'available', movedFrom: 'n1@files' });
  t.true((await dataAt('n2@a', id)).equals(before));
  const [image] = JSON.parse(await ceph().run('rbd', ['du', '--format', 'json', `${a}/volume-${id}`])).images;
  t.true(image.used_size < 30 * MiB, 'holes are holes');
  await isAloneAt('n2@a', id);
  const labels = await labelsAt('n2@a', id);
  t.like(labels, { id, from: 'n1@files', copy: undefined, moved: undefined, keeper: undefined });

  t.like(await migrate(id, 'n2@b'), { node: 'n2', backend: 'b' });
  t.true((await dataAt('n2@b', id)).equals(before));
  await isAloneAt('n2@b', id);
  t.like(await migrate(id, 'n1@files'), { node: 'n1', backend: 'files' });
  const path = urlAt('n1@files', id);
  t.true((await readFile(path)).equals(before));
  t.true((await stat(path)).blocks * 512 < 30 * MiB, 'holes are holes');
  await isAloneAt('n1@files', id);
  const nodes = await cluster.nodeCommands();
  for (const name of ['n1', 'n2']) {
    t.deepEqual((await nodes.audit(name, { repair: false, remove: [] }, deadline)).findings, []);
  }
  await commands.commands.delete(id, deadline);
});

data('a volume of a snapshot in a pool is made in another one, and in files', async (t) => {
  const [a, b] = await Promise.all([poolOf(newPool()), poolOf(newPool())]);
  await node('n1', { a });
  await node('n2', { b });
  const { id, data: before } = await volumeAt('n1@a');
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const { id: fromSnapshot } = await snapshots.create(id, newVolume, deadline);
  for (const at of ['n2@b', 'n2@files', 'n1@files']) {
    const copy = await commands.commands.create({ ...newVolume, fromSnapshot, node: at }, deadline);
    t.like(copy, { node: at.slice(0, 2), backend: at.slice(3), status: 'available' });
    t.true((await dataAt(at, copy.id)).equals(before), at);
  }
  const copy = await commands.commands.create({ ...newVolume, fromVolume: id, node: 'n2@b' }, deadline);
  t.true((await dataAt('n2@b', copy.id)).equals(before));
});

data('a volume is not copied to the storage that it is on', async (t) => {
  const a = await poolOf(newPool());
  await node('n1', { a });
  await node('n2', { a });
  const { id } = await volumeAt('n1@a');
  await t.throwsAsync(migrate(id, 'n2@a'), { code: 'NoUsableBackend', message: /n2@a: its data are on this storage/ });
  await t.throwsAsync(migrate(id), { code: 'StorageShared', message: /take it over when node n1 stops/ });
  t.like(await volumesOf(store).lookup(id), { status: 'available', node: 'n1', migration: '' });
  t.like(await migrate(id, 'n2'), { node: 'n2', backend: 'files' });
});

data('a migration to Ceph is cancelled, and its pool keeps nothing of it', async (t) => {
  const a = await poolOf(newPool());
  await node('n1', {}, slowly);
  await node('n2', { a });
  const { id, data: before } = await fullVolumeAt('n1@files');
  const end = migrate(id, 'n2@a').catch((error: unknown) => error);
  await hasBegun(id);
  t.deepEqual(await volumesAt('n2@a'), [id]);
  t.like(await cancelMigration(commands, id, deadline), { node: 'n1', status: 'available', migration: '' });
  t.like(await end, { code: 'MigrationCancelled' });
  await isAloneAt('n1@files', id);
  t.true((await readFile(urlAt('n1@files', id))).equals(before));
});

data('a migration from Ceph goes on at a node that reaches the same pool', async (t) => {
  const a = await poolOf(newPool());
  const n1 = await node('n1', { a }, slowly);
  await node('n2');
  const { id, data: before } = await fullVolumeAt('n1@a');
  const end = migrate(id, 'n2@files');
  await hasBegun(id);
  await node('n3', { a });
  await n1.stop();
  t.like(await end, { node: 'n2', backend: 'files', status: 'available', movedFrom: 'n3@a' });
  t.true((await dataAt('n2@files', id)).equals(before));
  await isAloneAt('n2@files', id);
});

data('a copy of a node that is gone is neither used nor removed by others on its pool', async (t) => {
  const a = await poolOf(newPool());
  await node('n1', {}, slowly);
  const n2 = await node('n2', { a });
  await node('n3', { a });
  const { id, data: before } = await fullVolumeAt('n1@files');
  const first = migrate(id, 'n2@a').catch((error: unknown) => error);
  await hasBegun(id);
  await n2.stop();
  t.like(await cancelMigration(commands, id, deadline), { node: 'n1', status: 'available' });
  t.like(await first, { code: 'MigrationCancelled' });
  t.like(await labelsAt('n2@a', id), { copy: 'n1@files', keeper: 'n2' });
  const nodes = await cluster.nodeCommands();
  const audit = await nodes.audit('n3', { repair: true, remove: [] }, deadline);
  t.deepEqual(audit.findings, []);
  await t.throwsAsync(migrate(id, 'n3@a'), { code: 'VolumeExists', message: /which node n2 removes once it is up/ });
  t.deepEqual(await volumesAt('n3@a'), [id]);

  const second = await node('n2', { a });
  const moved = await migrate(id, 'n3@a');
  t.like(moved, { node: 'n3', backend: 'a', status: 'available' });
  await second.stop();
  t.true((await dataAt('n3@a', id)).equals(before));
  await isAloneAt('n3@a', id);
});

data('a migration to Ceph goes on after its destination has ended', async (t) => {
  const a = await poolOf(newPool());
  await node('n1', {}, slowly);
  const n2 = await node('n2', { a });
  await node('n3', { a });
  const { id, data: before } = await fullVolumeAt('n1@files');
  const end = migrate(id, 'n2@a');
  await hasBegun(id);
  await n2.stop();
  t.like(await volumesOf(store).lookup(id), { status: 'migrating', node: 'n1' });
  await node('n2', { a });
  t.like(await end, { node: 'n2', backend: 'a', status: 'available' });
  t.true((await dataAt('n2@a', id)).equals(before));
  await isAloneAt('n2@a', id);
});
