import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { Backup } from '../../../lib/backups/backup.ts';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import { BackupCommands } from '../../../lib/client/backup-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';

/** Backups of volumes of the driver file, in a directory. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const newVolume = { size: 0, userId: 'user', projectId: 'project' };

let place: string;
let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let backups: BackupCommands;
let directory: BackupDirectory;
let files: FileDriver;

test.before(async () => {
  place = await mkdtemp(join(tmpdir(), 'backups-'));
  cluster = await Cluster.start();
  store = await cluster.store();
  directory = new BackupDirectory(join(place, 'backups'));
  await mkdir(join(place, 'volumes'));
  files = new FileDriver({ directory: join(place, 'volumes') });
  const flags = { backup_directory: directory.place };
  await cluster.node('n1', flags, [
    { name: 'files', driver: files },
    { name: 'fake', driver: new FakeDriver() },
  ]);
  volumes = await cluster.commands();
  backups = new BackupCommands(store, new RequestClient(store), 'volume');
});

test.after.always(async () => {
  await cluster?.close();
  await rm(place, { recursive: true });
});

function pathOf(id: string): string {
  return files.localPath({ id, size: 0, sizeBytes: 100 * MiB, labels: {} });
}

async function create(more: object = {}): Promise<string> {
  return (await volumes.create({ ...newVolume, node: 'n1@files', ...more }, deadline)).id;
}

async function write(id: string, data: Buffer, offset: number): Promise<void> {
  const file = await open(pathOf(id), 'r+');
  await file.write(data, 0, data.length, offset);
  await file.close();
}

async function newBackup(volume: string, parent: string | null = null): Promise<string> {
  const id = randomUUID();
  const own = {
    id,
    name: 'night',
    status: 'creating',
    volume,
    volumeName: '',
    userId: 'user',
    projectId: 'p',
    size: 0,
  } as const;
  await directory.create({ ...own, createTime: Date.now(), parent, checksum: null, storedBytes: 0 });
  return id;
}

async function backUp(volume: string, parent: string | null = null): Promise<Backup> {
  const id = await newBackup(volume, parent);
  await backups.create(volume, id, deadline);
  return directory.show(id);
}

test.serial('a volume from a backup has the data that the original had, and needs it no more', async (t) => {
  const id = await create();
  const [first, last] = [randomBytes(MiB), randomBytes(4096)];
  await write(id, first, 0);
  await write(id, last, 100 * MiB - 4096);
  const full = await backUp(id);
  t.like(full, { status: 'available', parent: null });
  t.is(full.storedBytes, 8 * MiB, 'zeros are not stored');
  const before = await readFile(pathOf(id));

  const changed = randomBytes(MiB);
  await write(id, changed, 50 * MiB);
  const next = await backUp(id, full.id);
  t.is(next.storedBytes, 4 * MiB, 'only what has changed');
  const after = await readFile(pathOf(id));
  await volumes.delete(id, deadline);

  const restored = await volumes.create({ ...newVolume, size: 1, fromBackup: next.id }, deadline);
  t.like(restored, { status: 'available', fromBackup: next.id, isCopying: false, backend: 'files' });
  const found = await readFile(pathOf(restored.id));
  t.true(found.subarray(0, after.length).equals(after));
  t.true(found.subarray(after.length).every((byte) => byte === 0));
  t.true((await stat(pathOf(restored.id))).blocks * 512 < 30 * MiB, 'holes are holes');
  t.is((await files.listVolumes()).find((one) => one.id === restored.id)?.labels['backup'], undefined);

  await t.throwsAsync(directory.remove(full.id), { code: 'BackupNeeded', message: new RegExp(next.id) });
  t.is((await directory.show(full.id)).status, 'available');
  const old = await create({ fromBackup: full.id });
  t.true((await readFile(pathOf(old))).equals(before));
  await directory.remove(next.id);
  await directory.remove(full.id);
  await directory.remove(full.id);
  t.deepEqual(await directory.list(), []);
  await volumes.delete(old, deadline);
  await volumes.delete(restored.id, deadline);
});

test.serial('a damaged, incomplete or absent backup makes no volume, and says what is wrong with it', async (t) => {
  const id = await create();
  await write(id, randomBytes(8 * MiB), 0);
  const { id: backup } = await backUp(id);
  const data = join(directory.place, backup, 'data');
  const bytes = await readFile(data);
  bytes.writeUInt8(bytes.readUInt8(5 * MiB) ^ 1, 5 * MiB);
  await writeFile(data, bytes);
  const refused = async (fromBackup: string, code: string, message: RegExp) => {
    const requested = randomUUID();
    await t.throwsAsync(volumes.create({ ...newVolume, id: requested, fromBackup }, deadline), { code, message });
    t.like(await volumesOf(store).lookup(requested), { status: 'error', fault: { code } });
    await volumes.delete(requested, deadline);
  };
  await refused(backup, 'BackupDamaged', /at byte 4194304 have another checksum/);
  await writeFile(join(directory.place, backup, 'pieces'), 'nonsense\n');
  await refused(backup, 'BackupDamaged', /has the line nonsense/);
  await refused(await newBackup(id), 'BackupNotReady', /has not all of its data/);
  await refused(randomUUID(), 'BackupNotFound', /every node|does not exist in/);
  await writeFile(join(directory.place, backup, 'backup.json'), '{}');
  const unreadable: string[] = [];
  await directory.list((one) => void unreadable.push(one));
  t.deepEqual(unreadable, [backup]);
  t.deepEqual(
    (await files.listVolumes()).map((found) => found.id),
    [id],
  );
  await rm(directory.place, { recursive: true });
  await volumes.delete(id, deadline);
});

test.serial(
  'a backup of an attached volume, of another driver, or without a place, is refused or removed',
  async (t) => {
    const id = await create();
    await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
    await t.throwsAsync(backups.create(id, randomUUID(), deadline), {
      code: 'VolumeAttached',
      message: /take a snapshot|at several moments/,
    });
    await volumes.detach(id, deadline);
    await t.throwsAsync(backups.create(id, randomUUID(), deadline), { code: 'BackupNotFound' });
    const { id: fake } = await volumes.create({ ...newVolume, node: 'n1@fake' }, deadline);
    await t.throwsAsync(backups.create(fake, randomUUID(), deadline), { code: 'NotCapable' });
    await t.throwsAsync(newBackup(id, randomUUID()), { code: 'BackupNotFound' });
    t.deepEqual(await directory.list(), []);

    const backup = await newBackup(id);
    await rm(join(directory.place, backup, 'pieces'), { force: true });
    await mkdir(join(directory.place, backup, 'pieces')); // it cannot be written
    await t.throwsAsync(backups.create(id, backup, deadline), { message: /EISDIR/ });
    t.like(await volumesOf(store).lookup(id), { status: 'available', task: undefined, fault: undefined });
    t.deepEqual(await directory.list(), [], 'what was incomplete is removed');
    await volumes.delete(id, deadline);
  },
);
