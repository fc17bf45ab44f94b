import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import test from 'ava';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import { BackupCommands } from '../../../lib/client/backup-commands.ts';
import { ImageCommands } from '../../../lib/client/image-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { RbdDriver } from '../../../lib/drivers/rbd/driver.ts';
import { cloneDepth, imageInfo } from '../../../lib/drivers/rbd/images.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { Glance } from '../../../lib/images/glance.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { RbdCommands } from '../../../lib/rbd/commands.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { data } from '../../lib/drivers/rbd/data.ts';
import { ceph, driverOn, newPool, startCeph } from '../../lib/drivers/rbd/pools.ts';
import { Cluster } from '../../support/cluster.ts';
import { GlanceService, withoutGlance } from '../../support/glance.ts';

/** Images and backups of volumes in a pool of a real Ceph, which the node opens through FUSE. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 240_000 };
const owner = { userId: 'user', projectId: 'project' };

let place: string;
let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let driver: RbdDriver;
let images: ImageDirectory;
let backups: BackupDirectory;

startCeph();

test.before(async () => {
  place = await mkdtemp(join(tmpdir(), 'ceph-data-'));
  images = new ImageDirectory(join(place, 'images'));
  backups = new BackupDirectory(join(place, 'backups'));
});

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = await newPool({ directory: join(place, 'open') });
  volumes = await cluster.commands();
});

async function startNode(more: { image_url?: string } = {}): Promise<void> {
  const directories = { image_directory: join(place, 'images'), backup_directory: backups.place };
  const flags = { ...directories, state_dir: join(place, randomUUID()), ...more };
  await mkdir(flags.state_dir);
  await cluster.node('n1', flags, { name: 'ceph', driver });
}

test.afterEach.always(async (t) => {
  await cluster?.close();
  t.deepEqual(await readdir(join(place, 'open')).catch(() => []), [], 'no file of an open image is left');
});
test.after.always(() => rm(place, { recursive: true }));

const urlOf = (id: string) => `rbd:${driver.pool}/volume-${id}:conf=${ceph().conf}`;

async function dataOf(id: string): Promise<Buffer> {
  const file = join(place, randomUUID());
  await execa('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', urlOf(id), file]);
  return readFile(file);
}

async function write(id: string, bytes: Buffer, offset: number): Promise<void> {
  const file = join(place, randomUUID());
  await writeFile(file, bytes);
  await execa('qemu-io', ['-f', 'raw', '-c', `write -s ${file} ${offset} ${bytes.length}`, urlOf(id)]);
}

/** With its data, as raw or qcow2. */
async function imageOf(bytes: Buffer, diskFormat: 'raw' | 'qcow2'): Promise<string> {
  const { id } = await images.create({ name: randomUUID(), diskFormat });
  await images.upload(id, Readable.from([await converted(bytes, diskFormat)]));
  return id;
}

async function converted(bytes: Buffer, diskFormat: 'raw' | 'qcow2'): Promise<Buffer> {
  const [raw, file] = [join(place, randomUUID()), join(place, randomUUID())];
  await writeFile(raw, bytes);
  await execa('qemu-img', ['convert', '-f', 'raw', '-O', diskFormat, raw, file]);
  return readFile(file);
}

/** Returns the number of images that the data of a volume depend on. */
async function depthOf(id: string): Promise<number> {
  const commands = new RbdCommands({ pool: driver.pool, user: 'admin', conf: ceph().conf }, new ChildProcesses());
  const info = await imageInfo(commands, `volume-${id}`);
  if (info === undefined) throw new Error(`no image volume-${id}`);
  return cloneDepth(commands, info, 100);
}

const withGlance = withoutGlance === undefined ? data : test.serial.skip;

async function newBackup(volume: string): Promise<string> {
  const id = randomUUID();
  const of = { id, volume, volumeName: '', name: 'night', size: 0, createTime: Date.now() };
  await backups.create({ ...of, ...owner, status: 'creating', parent: null, checksum: null, storedBytes: 0 });
  return id;
}

data('a volume gets the data of an image, goes to an image, and gets those of another one', async (t) => {
  await startNode();
  const bytes = Buffer.concat([randomBytes(5 * MiB), Buffer.alloc(8 * MiB), randomBytes(MiB + 512)]);
  const first = await imageOf(bytes, 'qcow2');
  const { id } = await volumes.create({ ...owner, size: 0, fromImage: first }, deadline);
  const found = await dataOf(id);
  t.is(found.length, 100 * MiB);
  t.true(found.subarray(0, bytes.length).equals(bytes));
  t.true(found.subarray(bytes.length).every((byte) => byte === 0));
  t.is((await driver.listVolumes())[0]?.labels['image'], undefined);

  const { id: upload } = await images.create({ name: 'upload', diskFormat: 'raw' });
  await new ImageCommands(store, new RequestClient(store), 'volume').upload(id, upload, deadline);
  t.true(Buffer.concat(await (await images.download(upload, 0)).toArray()).equals(found));

  const other = randomBytes(2 * MiB);
  await volumes.restore(id, { kind: 'image', id: await imageOf(other, 'raw') }, deadline);
  const after = await dataOf(id);
  t.true(after.subarray(0, other.length).equals(other));
  t.true(after.subarray(other.length).every((byte) => byte === 0));
  await volumes.delete(id, deadline);
});

data('a backup of a volume gives its data to a new volume and to an existing one', async (t) => {
  await startNode();
  const { id } = await volumes.create({ ...owner, size: 0 }, deadline);
  await write(id, randomBytes(5 * MiB), 0);
  await write(id, randomBytes(4096), 100 * MiB - 4096);
  const before = await dataOf(id);
  const backup = await newBackup(id);
  await new BackupCommands(store, new RequestClient(store), 'volume').create(id, backup, deadline);
  t.is((await backups.show(backup)).storedBytes, 12 * MiB, 'zeros are not stored');
  const copy = await volumes.create({ ...owner, size: 0, fromBackup: backup }, deadline);
  t.true((await dataOf(copy.id)).equals(before));
  await write(id, randomBytes(MiB), 50 * MiB);
  await volumes.restore(id, { kind: 'backup', id: backup }, deadline);
  t.true((await dataOf(id)).equals(before));
});

data('a volume gets the data of its latest snapshot', async (t) => {
  await startNode();
  const { id } = await volumes.create({ ...owner, size: 0 }, deadline);
  await write(id, randomBytes(MiB), 3 * MiB);
  const before = await dataOf(id);
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const { id: snapshot } = await snapshots.create(id, owner, deadline);
  await write(id, randomBytes(2 * MiB), 2 * MiB);
  await volumes.restore(id, { kind: 'snapshot', id: snapshot }, deadline);
  t.true((await dataOf(id)).equals(before));
});

withGlance('a raw image on the same cluster is not copied; one that has to be converted is', async (t) => {
  await ceph().createPool('images');
  const service = await GlanceService.start({ conf: ceph().conf, pool: 'images' });
  t.teardown(() => service.stop());
  const glance = new Glance({ url: service.url, token: () => Promise.resolve('') });
  const bytes = Buffer.concat([randomBytes(3 * MiB), Buffer.alloc(MiB)]);
  await startNode({ image_url: service.url });
  for (const [diskFormat, depth] of [
    ['raw', 1],
    ['qcow2', 0],
  ] as const) {
    const { id: image } = await glance.create({ name: diskFormat, diskFormat });
    await glance.upload(image, Readable.from([await converted(bytes, diskFormat)]));
    const volume = await volumes.create({ ...owner, size: 0, fromImage: image }, deadline);
    t.like(volume, { status: 'available', fromImage: image, isCopying: false, isBootable: true });
    const found = await dataOf(volume.id);
    t.true(found.subarray(0, bytes.length).equals(bytes), diskFormat);
    t.is(found.length, 100 * MiB);
    t.is(await depthOf(volume.id), depth, `${diskFormat}: images that its data depend on`);
    t.is((await driver.listVolumes()).find(({ id }) => id === volume.id)?.labels['image'], undefined);
    await volumes.delete(volume.id, deadline);
  }
  const { id: large } = await glance.create({ name: 'large', diskFormat: 'raw' });
  await glance.upload(large, Readable.from([Buffer.alloc(101 * MiB)]));
  await t.throwsAsync(volumes.create({ ...owner, size: 0, fromImage: large }, deadline), { code: 'ImageTooLarge' });
});

data('what a killed daemon had open is closed by the next one', async (t) => {
  await startNode();
  const { id } = await volumes.create({ ...owner, size: 0 }, deadline);
  const [found] = await driver.listVolumes();
  const spec = { id, size: 0, sizeBytes: 100 * MiB, labels: found?.labels ?? {} };
  const { path } = await driver.openVolume(spec, { access: 'write', signal: undefined });
  const { stdout } = await execa('pgrep', ['-f', `qemu-storage-daemon.*${path}`]);
  process.kill(Number(stdout.split('\n')[0]), 'SIGKILL');
  const next = driverOn({ pool: driver.pool, directory: join(place, 'open') });
  await next.setup();
  t.deepEqual(await readdir(join(place, 'open')), []);
  const again = await next.openVolume(spec, { access: 'read', signal: undefined }); // once Ceph has given up the dead client
  t.is((await readFile(again.path)).length, 100 * MiB);
  await again.close();
  await next.close();
});
