import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import { BackupCommands } from '../../../lib/client/backup-commands.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { lastEvents } from '../../../lib/client/event-reader.ts';
import { ImageCommands } from '../../../lib/client/image-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { jobsOf } from '../../../lib/models/job.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Snapshots whose data go to backups and images while their volumes are in use, with the driver file. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const owner = { userId: 'user', projectId: 'project' };

/** Reads wait until the gate is open. */
class GatedDriver extends FileDriver {
  gate: Promise<void> = Promise.resolve();

  constructor(directory: string) {
    super({ directory });
    const openSnapshot = this.snapshots.openSnapshot.bind(this.snapshots);
    this.snapshots.openSnapshot = async (spec) => {
      await this.gate;
      return openSnapshot(spec);
    };
  }
}

let cluster: Cluster;
let store: Store;
let node: BlockStore;
let driver: GatedDriver;
let volumes: VolumeCommands;
let snapshots: SnapshotCommands;
let backups: BackupCommands;
let images: ImageCommands;
let directory: BackupDirectory;
let imageDirectory: ImageDirectory;

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  const client = new RequestClient(store);
  directory = new BackupDirectory(join(cluster.directory, 'backups'));
  imageDirectory = new ImageDirectory(join(cluster.directory, 'images'));
  await mkdir(join(cluster.directory, 'pool'));
  driver = new GatedDriver(join(cluster.directory, 'pool'));
  node = await startNode();
  volumes = await cluster.commands();
  snapshots = new SnapshotCommands(store, client, 'volume');
  backups = new BackupCommands(store, client, 'volume');
  images = new ImageCommands(store, client, 'volume');
});
test.afterEach.always(() => cluster.close());

function startNode(): Promise<BlockStore> {
  const flags = { backup_directory: directory.place, image_directory: join(cluster.directory, 'images') };
  return cluster.node('n1', { ...flags, num_shell_tries: '1' }, { name: 'files', driver });
}

/** A volume that is attached, with data, and a snapshot of that. */
async function withSnapshot(): Promise<{ volume: string; snapshot: string; data: Buffer }> {
  const { id } = await volumes.create({ ...owner, size: 0 }, deadline);
  const data = randomBytes(MiB);
  await write(id, data);
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const snapshot = await snapshots.create(id, { ...owner, force: true }, deadline);
  await write(id, randomBytes(MiB));
  return { volume: id, snapshot: snapshot.id, data };
}

async function write(id: string, data: Buffer): Promise<void> {
  await using file = await open(pathOf(id), 'r+');
  await file.write(data, 0, data.length, 3 * MiB);
}

async function read(id: string): Promise<Buffer> {
  await using file = await open(pathOf(id));
  const { buffer } = await file.read(Buffer.alloc(MiB), 0, MiB, 3 * MiB);
  return buffer;
}

function pathOf(id: string): string {
  return driver.localPath({ id, size: 0, sizeBytes: 100 * MiB, labels: {} });
}

async function newBackup(volume: string): Promise<string> {
  const id = randomUUID();
  const none = { status: 'creating', parent: null, checksum: null, storedBytes: 0 } as const;
  await directory.create({ ...owner, ...none, id, name: '', volume, volumeName: '', size: 0, createTime: Date.now() });
  return id;
}

/** Begins a backup of the snapshot that ends only once the gate is open. */
async function begun(snapshot: string, volume: string) {
  const gate = Promise.withResolvers<void>();
  driver.gate = gate.promise;
  const target = await newBackup(volume);
  const isDone = async () => (await directory.show(target)).status === 'available';
  const ended = backups.copySnapshot(snapshot, { target, isDone }, deadline);
  ended.catch(() => undefined);
  await until(async () => (await store.redis.zcard(store.keys.snapshotJobs(snapshot))) === 1, 'the job is recorded');
  return { open: gate.resolve, target, ended };
}

/** Whether a backup says that it gets no data, for that reason. */
async function hasFailed(backup: string, code: string): Promise<boolean> {
  const { status, failure } = await directory.show(backup);
  return status === 'error' && failure?.code === code;
}

async function leftJobs(): Promise<string[]> {
  const jobs = await Array.fromAsync(jobsOf(store).iterate(store.keys.nodeJobs('n1')));
  return jobs.map(({ id }) => id);
}

test.serial('a backup of a snapshot has its data, and holds its volume up in nothing', async (t) => {
  const { volume, snapshot, data } = await withSnapshot();
  const { open: openGate, target, ended } = await begun(snapshot, volume);
  await volumes.detach(volume, deadline);
  await volumes.attach(volume, { instanceId: 'i-2', mountpoint: '/dev/vdb' }, deadline);
  await volumes.update(volume, { name: 'renamed' }, deadline);
  await t.throwsAsync(snapshots.delete(snapshot, deadline), { code: 'SnapshotIsCopied', message: /to a backup/ });
  openGate();
  await ended;
  t.like(await directory.show(target), { status: 'available', volume });
  t.deepEqual(await leftJobs(), []);
  const restored = await volumes.create({ ...owner, size: 0, fromBackup: target }, deadline);
  t.true((await read(restored.id)).equals(data));
  await snapshots.delete(snapshot, deadline);
  const storage = {
    node: 'n1',
    volumes: await driver.listVolumes(),
    snapshots: await driver.snapshots.listSnapshots(),
  };
  t.deepEqual(await disagreements(store, [storage]), []);
  const { events } = await lastEvents(store, 100);
  t.deepEqual(
    events.filter(({ event }) => event.startsWith('snapshot.')).map(({ event }) => event),
    ['snapshot.backup.start', 'snapshot.backup.end'],
  );
});

test.serial('an image of a snapshot has its data', async (t) => {
  const { snapshot, data } = await withSnapshot();
  const { id: target } = await imageDirectory.create({ name: 'snapshot', diskFormat: 'qcow2' });
  const isDone = async () => (await imageDirectory.show(target)).status === 'active';
  await images.copySnapshot(snapshot, { target, isDone }, deadline);
  const restored = await volumes.create({ ...owner, size: 0, fromImage: target }, deadline);
  t.true((await read(restored.id)).equals(data));
});

test.serial('a job goes on with the next daemon, and its requester learns the end', async (t) => {
  const { volume, snapshot } = await withSnapshot();
  const { open: openGate, target, ended } = await begun(snapshot, volume);
  const stopped = node.stop();
  openGate();
  await stopped;
  node = await startNode();
  await ended;
  t.is((await directory.show(target)).status, 'available');
  t.deepEqual(await leftJobs(), []);
});

test.serial('a job whose record Redis has lost ends, and its requester learns it from the backup', async (t) => {
  const { volume, snapshot } = await withSnapshot();
  const { open: openGate, target, ended } = await begun(snapshot, volume);
  const [id = ''] = await leftJobs();
  openGate();
  await until(async () => (await directory.show(target)).status === 'available', 'the backup has its data');
  await ended;
  t.deepEqual(await leftJobs(), []);
  t.is(await jobsOf(store).find(id), undefined);

  // An older state of Redis has it again.
  await store.redis.hset(store.keys.job(id), { kind: 'backup', snapshot, volume, node: 'n1', target, createTime: '1' });
  await store.redis.zadd(store.keys.nodeJobs('n1'), 1, id);
  await store.redis.zadd(store.keys.snapshotJobs(snapshot), 0, id);
  await node.stop();
  node = await startNode();
  await until(async () => (await leftJobs()).length === 0, 'it has ended again');
  t.is((await directory.show(target)).status, 'available');
});

test.serial('one that fails says why, and the backup as well', async (t) => {
  const { volume, snapshot } = await withSnapshot();
  const { open: openGate, target, ended } = await begun(snapshot, volume);
  await rm(join(cluster.directory, 'pool', `snapshot-${snapshot}`));
  openGate();
  await t.throwsAsync(ended, { code: 'SnapshotMissing', message: new RegExp(snapshot) });
  await until(() => hasFailed(target, 'SnapshotMissing'), 'the backup says why it has no data');
  t.deepEqual(await leftJobs(), []);
  const event = (await lastEvents(store, 100)).events.at(-1);
  t.like(event, { event: 'snapshot.backup.error', fault: { code: 'SnapshotMissing' } });
});

test.serial(
  'the requester of a job on a node that is declared lost learns that, and the snapshot is free',
  async (t) => {
    const { volume, snapshot } = await withSnapshot();
    const { open: openGate, ended } = await begun(snapshot, volume);
    const stopped = node.stop();
    openGate();
    await stopped;
    await declareLost(store, 'n1', { topic: 'volume' });
    await t.throwsAsync(ended, { code: 'NodeLost' });
    t.deepEqual(await leftJobs(), []);
    t.is(await store.redis.zcard(store.keys.snapshotJobs(snapshot)), 0);
  },
);

test.serial('where the backups cannot be reached the job ends with that, and is not repeated for ever', async (t) => {
  const { volume, snapshot } = await withSnapshot();
  const { open: openGate, ended } = await begun(snapshot, volume);
  await rm(directory.place, { recursive: true });
  await writeFile(directory.place, 'no directory');
  openGate();
  const error = await t.throwsAsync(ended);
  t.regex(error.message, /ENOTDIR/);
  t.deepEqual(await leftJobs(), []);
});

test.serial('a snapshot that becomes unusable while it is read makes no backup', async (t) => {
  const { volume, snapshot } = await withSnapshot();
  let opened = 0;
  const open2 = driver.snapshots.openSnapshot.bind(driver.snapshots);
  driver.snapshots.openSnapshot = async (spec) => {
    opened += 1;
    if (opened > 1) throw errors.snapshotUnusable(spec.id, 'its room is full');
    return open2(spec);
  };
  const target = await newBackup(volume);
  const isDone = async () => (await directory.show(target)).status === 'available';
  await t.throwsAsync(backups.copySnapshot(snapshot, { target, isDone }, deadline), {
    code: 'SnapshotUnusable',
    message: /its room is full/,
  });
  await until(() => hasFailed(target, 'SnapshotUnusable'), 'the backup says why it has no data');
});

test.serial('an attached volume is copied by a snapshot that is gone afterwards', async (t) => {
  const { volume, data } = await withoutSnapshot();
  const { open: openGate, target, ended } = await begunOfVolume(volume);
  await until(async () => (await ownSnapshots(volume)).length === 1, 'the snapshot is taken');
  await write(volume, randomBytes(MiB));
  const [own = ''] = await ownSnapshots(volume);
  await until(
    async () => (await store.redis.zcard(store.keys.snapshotJobs(own))) === 1,
    'the snapshot is read, and kept for that',
  );
  await t.throwsAsync(snapshots.delete(own, deadline), { code: 'SnapshotIsCopied' });
  openGate();
  await ended;
  t.like(await directory.show(target), { status: 'available', volume });
  t.deepEqual(await ownSnapshots(volume), []);
  t.deepEqual(await leftJobs(), []);
  const restored = await volumes.create({ ...owner, size: 0, fromBackup: target }, deadline);
  t.true((await read(restored.id)).equals(data));
});

test.serial('such a copy that fails says why, and its snapshot is gone as well', async (t) => {
  const { volume } = await withoutSnapshot();
  const { open: openGate, target, ended } = await begunOfVolume(volume);
  await until(async () => (await ownSnapshots(volume)).length === 1, 'the snapshot is taken');
  const [own = ''] = await ownSnapshots(volume);
  await rm(join(cluster.directory, 'pool', `snapshot-${own}`));
  openGate();
  await t.throwsAsync(ended, { code: 'SnapshotMissing' });
  await until(() => hasFailed(target, 'SnapshotMissing'), 'the backup says why it has no data');
  t.deepEqual(await ownSnapshots(volume), []);
  t.deepEqual(await leftJobs(), []);
});

test.serial('such a copy goes on with the next daemon', async (t) => {
  const { volume, data } = await withoutSnapshot();
  const busy = await begunOfVolume(volume);
  await until(async () => (await ownSnapshots(volume)).length === 1, 'the snapshot is taken');
  const stopped = node.stop();
  busy.open();
  await stopped;
  driver.gate = Promise.resolve();
  node = await startNode();
  await busy.ended;
  t.is((await directory.show(busy.target)).status, 'available');
  await until(async () => (await ownSnapshots(volume)).length === 0, 'the snapshot is deleted');
  await until(async () => (await leftJobs()).length === 0, 'no job is left');
  const restored = await volumes.create({ ...owner, size: 0, fromBackup: busy.target }, deadline);
  t.true((await read(restored.id)).equals(data));
});

/** The same without a snapshot. */
async function withoutSnapshot(): Promise<{ volume: string; data: Buffer }> {
  const { id } = await volumes.create({ ...owner, size: 0 }, deadline);
  const data = randomBytes(MiB);
  await write(id, data);
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  return { volume: id, data };
}

/** Begins a backup of a volume by a snapshot of its own, which is read only once the gate is open. */
async function begunOfVolume(volume: string) {
  const gate = Promise.withResolvers<void>();
  driver.gate = gate.promise;
  const target = await newBackup(volume);
  const isDone = async () => (await directory.show(target)).status === 'available';
  const ended = backups.copyAttached(volume, { target, isDone }, deadline);
  ended.catch(() => undefined);
  await until(async () => (await leftJobs()).length === 1, 'the job is recorded');
  return { open: gate.resolve, target, ended };
}

/** Snapshots of a volume that have been taken. */
async function ownSnapshots(volume: string): Promise<string[]> {
  const found = await Array.fromAsync(snapshotsOf(store).iterate(store.keys.volumeSnapshots(volume)));
  return found.filter(({ status }) => status !== 'creating').map(({ id }) => id);
}
