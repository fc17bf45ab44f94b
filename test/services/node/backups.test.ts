import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { Backup } from '../../../lib/backups/backup.ts';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import { BackupCommands } from '../../../lib/client/backup-commands.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { newAttachment } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { taskText } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Backups of volumes of the driver file, in a directory. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const newVolume = { size: 0, userId: 'user', projectId: 'project' };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

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

const from = (id: string) => ({ kind: 'backup', id }) as const;

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

async function newBackup(volume: string, parent: string | null = null, size = 0): Promise<string> {
  const id = randomUUID();
  const own = {
    id,
    name: 'night',
    status: 'creating',
    volume,
    volumeName: '',
    userId: 'user',
    projectId: 'p',
    size,
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
    await volumes.attach(id, attachment, deadline);
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
    const [left, ...others] = await directory.list();
    t.like(left, { id: backup, status: 'error', failure: { code: 'SystemRefused' } }, 'it says why it has no data');
    t.deepEqual(others, []);
    t.true(await directory.remove(backup));
    await volumes.delete(id, deadline);
  },
);

test.serial('a volume gets the data of a backup in place of its own', async (t) => {
  const id = await create({ name: 'data' });
  const first = randomBytes(MiB);
  await write(id, first, 5 * MiB);
  const { id: backup } = await backUp(id);
  const before = await readFile(pathOf(id));
  await write(id, randomBytes(MiB), 4 * MiB + 17);
  await volumes.extend(id, 1, deadline);

  const restored = await volumes.restore(id, from(backup), deadline);
  t.like(restored, { status: 'available', name: 'data', size: 1, restoreFrom: undefined, fault: undefined });
  const found = await readFile(pathOf(id));
  t.true(found.subarray(0, before.length).equals(before));
  t.true(found.subarray(before.length).every((byte) => byte === 0));
  t.like((await files.listVolumes()).find((one) => one.id === id)?.labels, {
    restored: String(restored.restoredTime),
  });

  await volumes.attach(id, attachment, deadline);
  await t.throwsAsync(volumes.restore(id, from(backup), deadline), { code: 'VolumeAttached' });
  await volumes.detach(id, deadline);
  const { id: small } = await volumes.create({ ...newVolume, node: 'n1@files' }, deadline);
  await write(small, first, 0);
  const large = await newBackup(id, null, 1);
  await backups.create(id, large, deadline);
  const asBefore = await readFile(pathOf(small));
  await t.throwsAsync(volumes.restore(small, from(large), deadline), { code: 'SizeTooSmall' });
  await t.throwsAsync(volumes.restore(small, from(randomUUID()), deadline), { code: 'BackupNotFound' });
  await t.throwsAsync(volumes.restore(small, from(await newBackup(small)), deadline), { code: 'BackupNotReady' });
  t.like(await volumesOf(store).lookup(small), { status: 'available', restoreFrom: undefined, fault: undefined });
  t.true((await readFile(pathOf(small))).equals(asBefore), 'nothing was written');
  const { id: fake } = await volumes.create({ ...newVolume, node: 'n1@fake' }, deadline);
  await t.throwsAsync(volumes.restore(fake, from(backup), deadline), { code: 'NotCapable' });
  for (const one of [id, small, fake]) await volumes.delete(one, deadline);
});

test.serial(
  'a volume that could be restored by half alone is not used: it is restored again, or deleted',
  async (t) => {
    const id = await create();
    await write(id, randomBytes(MiB), 0);
    const good = await backUp(id);
    const before = await readFile(pathOf(id));
    await write(id, randomBytes(9 * MiB), 0);
    const { id: damaged } = await backUp(id);
    const data = join(directory.place, damaged, 'data');
    const bytes = await readFile(data);
    bytes.writeUInt8(bytes.readUInt8(5 * MiB) ^ 1, 5 * MiB);
    await writeFile(data, bytes);

    const failed = async (volume: string) => {
      await t.throwsAsync(volumes.restore(volume, from(damaged), deadline), { code: 'BackupDamaged' });
      const { status, restoreFrom, fault } = await volumesOf(store).lookup(volume);
      t.deepEqual([status, restoreFrom, fault?.code], ['error_restoring', from(damaged), 'BackupDamaged']);
    };
    await failed(id);
    await t.throwsAsync(volumes.attach(id, attachment, deadline), { code: 'WrongStatus' });
    const absent = randomUUID();
    await t.throwsAsync(volumes.restore(id, from(absent), deadline), { code: 'BackupNotFound' });
    t.like(await volumesOf(store).lookup(id), { status: 'error_restoring' }, 'what it had is gone all the same');
    t.like(await volumes.restore(id, from(good.id), deadline), { status: 'available', fault: undefined });
    t.true((await readFile(pathOf(id))).equals(before));
    await failed(id);
    await volumes.delete(id, deadline);
  },
);

test.serial(
  'a node that was declared lost meanwhile gives volumes the rest of their data when it returns',
  async (t) => {
    const source = await create();
    await write(source, randomBytes(9 * MiB), 0);
    const { id: backup } = await backUp(source);
    const whole = await readFile(pathOf(source));
    const pool = join(place, 'others');
    await mkdir(pool);
    const driver = new FileDriver({ directory: pool });
    const start = () => cluster.node('n2', { backup_directory: directory.place }, { name: 'files', driver });
    let node = await start();
    const made = await volumes.create({ ...newVolume, node: 'n2', fromBackup: backup }, deadline);
    const restored = await volumes.restore(
      (await volumes.create({ ...newVolume, node: 'n2' }, deadline)).id,
      from(backup),
      deadline,
    );
    await node.stop();
    // As it was in the middle of both.
    for (const { id, createTime } of [made, restored]) {
      const labels = { user: 'user', project: 'project', size: '0', created: String(createTime) };
      const unfinished = id === made.id ? { backup } : { restore: backup };
      const spec = { id, size: 0, sizeBytes: 100 * MiB, labels: { ...labels, ...unfinished } };
      await driver.labelVolume(spec);
      await writeFile(driver.localPath(spec), Buffer.alloc(100 * MiB, 'half'));
      const fields =
        id === made.id
          ? { status: 'creating', copying: 'true', task: taskText('create') }
          : { status: 'restoring', restoreFrom: backup, task: taskText('restore') };
      await commit(store, { edits: [{ kind: 'volume', id, set: fields }] });
    }
    await store.redis.del(store.keys.lease('n2'));
    t.is(await declareLost(store, 'n2', { topic: 'volume' }), 2);
    for (const { id } of [made, restored]) {
      t.like(await volumesOf(store).lookup(id), { status: 'error', fault: { code: 'NodeLost' } });
    }
    node = await start();
    for (const { id } of [made, restored]) {
      await until(async () => (await node.getVolume(id)).status === 'available', `${id} is available`);
      t.true((await readFile(join(pool, `volume-${id}`))).equals(whole));
      t.like(await node.getVolume(id), { task: undefined, fault: undefined });
    }
    await node.stop();
  },
);

test.serial(
  'an older state of Redis that has a restore again which has ended does not undo what was written since',
  async (t) => {
    const id = await create();
    await write(id, randomBytes(MiB), 0);
    const { id: backup } = await backUp(id);
    const { restoredTime } = await volumes.restore(id, from(backup), deadline);
    const later = randomBytes(4096);
    await write(id, later, 0);
    const set = { status: 'restoring', restoreFrom: backup, task: taskText('restore') };
    const again = { ...set, restoreTime: String(restoredTime) };
    await commit(store, { edits: [{ kind: 'volume', id, set: again, unset: ['restoredTime'] }] });
    await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
    t.true((await readFile(pathOf(id))).subarray(0, later.length).equals(later));
    t.like(await volumesOf(store).lookup(id), { restoredTime, restoreTime: undefined, restoreFrom: undefined });
    // One that never began is carried out.
    await commit(store, { edits: [{ kind: 'volume', id, set, stamp: ['restoreTime'] }] });
    await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
    t.false((await readFile(pathOf(id))).subarray(0, later.length).equals(later));
    await volumes.delete(id, deadline);
  },
);

test.serial('what the storage says of a restore holds, whatever an older state of Redis says', async (t) => {
  const id = await create();
  await write(id, randomBytes(MiB), 0);
  const { id: backup } = await backUp(id);
  const whole = await readFile(pathOf(id));
  const labels = async () => (await files.listVolumes()).find((one) => one.id === id)?.labels ?? {};
  const label = async (more: Record<string, string>) => {
    const { restore: _, ...others } = await labels();
    await files.labelVolume({ id, size: 0, sizeBytes: 100 * MiB, labels: { ...others, ...more } });
  };
  const set = (fields: Record<string, string>) => commit(store, { edits: [{ kind: 'volume', id, set: fields }] });
  const audit = async () => (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
  const restored = async () => {
    await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
    t.true((await readFile(pathOf(id))).equals(whole));
    t.is((await labels())['restore'], undefined);
  };
  const spoil = async () => {
    await write(id, Buffer.alloc(MiB, 'half'), 0);
    await label({ restore: backup });
  };

  await spoil();
  await t.throwsAsync(volumes.restore(id, from(randomUUID()), deadline), { code: 'BackupNotFound' });
  t.like(
    await volumesOf(store).lookup(id),
    { status: 'error_restoring', restoreFrom: from(backup) },
    'it had data of both before',
  );
  await volumes.restore(id, from(backup), deadline);
  await restored();
  const { restoredTime } = await volumesOf(store).lookup(id);
  await t.throwsAsync(volumes.restore(id, from(randomUUID()), deadline), { code: 'BackupNotFound' });
  t.like(await volumesOf(store).lookup(id), { status: 'available', restoredTime }, 'the last one is still known');

  // Redis has lost that it was detached and is being restored.
  await volumes.attach(id, attachment, deadline);
  await spoil();
  const difference = (await audit()).findings.find(({ object }) => object.includes(id));
  t.like(difference, { fixed: false, what: 'has storage without all of its data' });
  await volumes.detach(id, deadline);
  await audit();
  await restored();

  // It is attached although it had begun to be restored.
  await spoil();
  const task = taskText('attach');
  const use = newAttachment(id, attachment, 'attaching');
  await commit(store, { edits: [use.edit] });
  await set({ status: 'in-use', attachStatus: 'attaching', task, attachments: use.id, attachment: use.id });
  await until(async () => (await volumesOf(store).lookup(id)).status !== 'in-use', 'the attach has failed');
  await audit();
  await restored();

  // Redis has lost that it was restored after a failure.
  await set({ status: 'error_restoring', restoreFrom: backup });
  await audit();
  await restored();
  await volumes.delete(id, deadline);
});

test.serial('a volume that is being copied is not restored', async (t) => {
  const id = await create();
  const { id: backup } = await backUp(id);
  await commit(store, { edits: [{ kind: 'volume', id, set: { fromVolume: id, copying: 'true' } }] });
  await t.throwsAsync(volumes.restore(id, from(backup), deadline), { code: 'VolumeIsCopied' });
  await commit(store, { edits: [{ kind: 'volume', id, unset: ['fromVolume', 'copying'] }] });
  await volumes.delete(id, deadline);
});
