import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import test from 'ava';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import { AttachmentCommands } from '../../../lib/client/attachment-commands.ts';
import { BackupCommands } from '../../../lib/client/backup-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { taskText } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Volumes that get the data of an image in place of their own, with the driver file. */

const execute = promisify(execFile);
const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const owner = { userId: 'user', projectId: 'project' };

let place: string;
let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let images: ImageDirectory;
let files: FileDriver;

test.before(async () => {
  place = await mkdtemp(join(tmpdir(), 'reimage-'));
  cluster = await Cluster.start();
  store = await cluster.store();
  images = new ImageDirectory(join(place, 'images'));
  await mkdir(join(place, 'volumes'));
  files = new FileDriver({ directory: join(place, 'volumes') });
  const flags = {
    image_directory: join(place, 'images'),
    backup_directory: join(place, 'backups'),
    state_dir: join(place, 'state'),
  };
  await cluster.node('n1', flags, [
    { name: 'files', driver: files },
    { name: 'fake', driver: new FakeDriver() },
  ]);
  volumes = await cluster.commands();
});

test.after.always(async () => {
  await cluster?.close();
  await rm(place, { recursive: true });
});

const to = (id: string) => ({ kind: 'image', id }) as const;
const dataOf = (id: string) => readFile(join(place, 'volumes', `volume-${id}`));

/** A volume whose data are random from its beginning to its end. */
async function create(more: object = {}): Promise<string> {
  const { id } = await volumes.create({ ...owner, size: 0, node: 'n1@files', ...more }, deadline);
  await writeFile(join(place, 'volumes', `volume-${id}`), randomBytes(100 * MiB), { flag: 'r+' });
  return id;
}

async function imageOf(data: Buffer, diskFormat = 'raw'): Promise<string> {
  const { id } = await images.create({ name: randomUUID(), diskFormat });
  const raw = join(place, randomUUID());
  await writeFile(raw, data);
  if (diskFormat === 'qcow2') await execute('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, `${raw}.image`]);
  await images.upload(id, Readable.from([diskFormat === 'qcow2' ? await readFile(`${raw}.image`) : data]));
  return id;
}

async function labels(id: string) {
  return (await files.listVolumes()).find((one) => one.id === id)?.labels ?? {};
}

test.serial('a volume has the data of the image and zeros behind them, as one that was made from it', async (t) => {
  const data = Buffer.concat([randomBytes(2 * MiB), Buffer.alloc(6 * MiB), randomBytes(MiB + 512)]);
  const [former, image] = [await imageOf(randomBytes(MiB)), await imageOf(data, 'qcow2')];
  const id = await create({ name: 'data', fromImage: former });
  await volumes.update(id, { imageMetadata: { os_type: 'linux' }, isBootable: false }, deadline);
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const { id: snapshot } = await snapshots.create(id, owner, deadline);
  const before = await dataOf(id);

  const volume = await volumes.restore(id, to(image), deadline);
  t.like(volume, { status: 'available', name: 'data', fromImage: image, isBootable: true, restoreFrom: undefined });
  t.deepEqual(volume.imageMetadata, {});
  const found = await dataOf(id);
  t.is(found.length, 100 * MiB);
  t.true(found.subarray(0, data.length).equals(data));
  t.true(found.subarray(data.length).every((byte) => byte === 0));
  t.is((await labels(id))['restore'], undefined);
  t.true((await readFile(join(place, 'volumes', `snapshot-${snapshot}`))).equals(before));

  // Its data are no longer those of what it was made from.
  const copy = await volumes.create({ ...owner, size: 0, fromSnapshot: snapshot }, deadline);
  t.is(copy.fromSnapshot, snapshot);
  t.like(await volumes.restore(copy.id, to(image), deadline), { fromSnapshot: '', fromImage: image });
  for (const one of [id, copy.id]) await volumes.delete(one, { ...deadline, withSnapshots: true });
});

test.serial('an image that is no good changes nothing', async (t) => {
  const backed = join(place, 'backed');
  await execute('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', backed, '1M']);
  const hostile = await readFile(backed);
  const id = await create();
  const before = await dataOf(id);
  const stored = await labels(id);
  for (const [content, format, code] of [
    [Buffer.alloc(200 * MiB), 'raw', 'ImageTooLarge'],
    [hostile, 'qcow2-as-it-is', 'ImageRefused'],
    [hostile.subarray(0, 1000), 'qcow2-as-it-is', 'ImageRefused'],
    [Buffer.from('not of 512 bytes'), 'raw', 'ImageRefused'],
    [Buffer.alloc(MiB), 'iso', 'ImageRefused'],
  ] as const) {
    const { id: image } = await images.create({ name: randomUUID(), diskFormat: format.replace('-as-it-is', '') });
    await images.upload(image, Readable.from([content]));
    await t.throwsAsync(volumes.restore(id, to(image), deadline), { code }, format);
    t.like(await volumesOf(store).lookup(id), { status: 'available', fromImage: '', restoreFrom: undefined });
  }
  await t.throwsAsync(volumes.restore(id, to(randomUUID()), deadline), { code: 'ImageNotFound' });
  const { id: empty } = await images.create({ name: 'empty', diskFormat: 'raw' });
  await t.throwsAsync(volumes.restore(id, to(empty), deadline), { code: 'ImageNotActive' });
  t.true((await dataOf(id)).equals(before));
  t.deepEqual(await labels(id), stored);
  const image = await imageOf(randomBytes(MiB));
  const { id: fake } = await volumes.create({ ...owner, size: 0, node: 'n1@fake' }, deadline);
  await t.throwsAsync(volumes.restore(fake, to(image), deadline), { code: 'NotCapable' });
  const { id: secret } = await volumes.create({ ...owner, size: 0, node: 'n1@files', isEncrypted: true }, deadline);
  await t.throwsAsync(volumes.restore(secret, to(image), deadline), { code: 'VolumeEncrypted' });
  for (const one of [id, fake, secret]) await volumes.delete(one, deadline);
});

test.serial('a volume is not overwritten as a whole where that would make its snapshots unusable', async (t) => {
  const image = await imageOf(randomBytes(MiB));
  const id = await create();
  const before = await dataOf(id);
  const refuse = (volume: VolumeSpec) => Promise.reject(errors.snapshotRoomTooSmall(volume.id, ['nightly']));
  Object.assign(files.snapshots, { refuseOverwrite: refuse });
  t.teardown(() => Object.assign(files.snapshots, { refuseOverwrite: undefined }));
  await t.throwsAsync(volumes.restore(id, to(image), deadline), {
    code: 'SnapshotRoomTooSmall',
    message: /too little room: nightly/,
  });
  const backups = new BackupDirectory(join(place, 'backups'));
  const backup = randomUUID();
  const own = { id: backup, name: '', status: 'creating', volume: id, volumeName: '', ...owner, size: 0 } as const;
  await backups.create({ ...own, createTime: Date.now(), parent: null, checksum: null, storedBytes: 0 });
  await new BackupCommands(store, new RequestClient(store), 'volume').create(id, backup, deadline);
  await t.throwsAsync(volumes.restore(id, { kind: 'backup', id: backup }, deadline), { code: 'SnapshotRoomTooSmall' });
  t.like(await volumesOf(store).lookup(id), { status: 'available', restoreFrom: undefined, fault: undefined });
  t.true((await dataOf(id)).equals(before));
  await volumes.delete(id, deadline);
});

test.serial('a reserved volume gets another image where the request says so, and stays reserved', async (t) => {
  const image = await imageOf(randomBytes(MiB));
  const attachments = new AttachmentCommands(store, volumes);
  const id = await create();
  const { id: first } = await attachments.reserve(id, { instanceId: 'i-1' });
  await t.throwsAsync(volumes.restore(id, to(image), deadline), { code: 'VolumeReserved' });
  const asked = { ...deadline, mayBeReserved: true };
  t.like(await volumes.restore(id, to(image), asked), { status: 'reserved', attachments: [first], fromImage: image });
  await t.throwsAsync(volumes.restore(id, to(randomUUID()), asked), { code: 'ImageNotFound' });
  t.like(await volumesOf(store).lookup(id), { status: 'reserved', attachments: [first] });

  // Its attachment is deleted, or all of Redis goes back, while that is under way.
  const set = { status: 'restoring', restoreFrom: `image:${image}`, task: taskText('restore') };
  const again = async () => {
    await commit(store, { edits: [{ kind: 'volume', id, set, stamp: ['restoreTime'] }] });
  };
  await again();
  await until(async () => (await volumesOf(store).lookup(id)).status === 'reserved', 'it is reserved');
  await again();
  await attachments.delete(first);
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
  t.deepEqual((await volumesOf(store).lookup(id)).attachments, []);
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await t.throwsAsync(volumes.restore(id, to(image), asked), { code: 'VolumeAttached' });
  await volumes.detach(id, deadline);
  t.is((await volumes.restore(id, to(image), asked)).status, 'available');
  await volumes.delete(id, deadline);
});

test.serial('a volume that has an image by half gets the rest of it, whatever Redis has lost', async (t) => {
  const data = randomBytes(3 * MiB);
  const image = await imageOf(data);
  const id = await create();
  await files.labelVolume({
    id,
    size: 0,
    sizeBytes: 100 * MiB,
    labels: { ...(await labels(id)), restore: `image:${image}` },
  });
  await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
  await until(async () => (await volumesOf(store).lookup(id)).fromImage === image, 'it has its image');
  const found = await dataOf(id);
  t.true(found.subarray(0, data.length).equals(data));
  t.true(found.subarray(data.length).every((byte) => byte === 0));
  await volumes.delete(id, deadline);
});
