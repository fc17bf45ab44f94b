import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { drain, setClosed } from '../../../lib/client/drain.ts';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { createType } from '../../../lib/client/types.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { backendsOf } from '../../../lib/models/backend.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { type Edit, commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { markedSpec, movedLabel } from '../../../services/node/specs.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Volumes that move between nodes and backends, with the driver file. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const newVolume = { size: 0, userId: 'user', projectId: 'project' };

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let migrations: MigrationCommands;
let drivers: Record<string, FileDriver>;

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  volumes = await cluster.commands();
  migrations = new MigrationCommands(store, volumes, 'volume');
  drivers = {};
});
test.afterEach.always(() => cluster.close());

async function driverIn(name: string): Promise<FileDriver> {
  const directory = join(cluster.directory, name);
  await mkdir(directory, { recursive: true });
  const driver = new FileDriver({ directory });
  drivers[name] = driver;
  return driver;
}

/** A node with these backends, each with a directory of its own. */
async function node(name: string, backends: readonly string[] = ['files'], flags = {}): Promise<BlockStore> {
  const made = await Promise.all(
    backends.map(async (backend) => ({ name: backend, driver: await driverIn(`${name}@${backend}`) })),
  );
  return cluster.node(name, { report_interval: '1', node_down_time: '30', ...flags }, made);
}

function pathOf(place: string, id: string): string {
  return drivers[place]?.localPath({ id, size: 0, sizeBytes: 100 * MiB, labels: {} }) ?? '';
}

/** A volume with data at its beginning, in its middle and at its end, the rest are holes; or with data everywhere. */
async function volumeWithData(at: string, { isFull = false } = {}): Promise<{ id: string; data: Buffer }> {
  const { id } = await volumes.create({ ...newVolume, node: at.replace(/@.*/, '') }, deadline);
  const data = isFull ? randomBytes(100 * MiB) : Buffer.alloc(100 * MiB);
  for (const offset of [0, 40 * MiB + 512, 99 * MiB]) randomBytes(MiB).copy(data, offset);
  const file = await open(pathOf(at, id), 'r+');
  if (isFull) await file.write(data, 0, data.length, 0);
  else for (const offset of [0, 40 * MiB, 41 * MiB, 99 * MiB]) await file.write(data, offset, MiB, offset);
  await file.close();
  return { id, data };
}

/** Nothing is left of a migration, and everything agrees. */
async function settled(): Promise<string[]> {
  const stored = async () =>
    Promise.all(
      Object.entries(drivers).map(async ([place, driver]) => ({ place, volumes: await driver.listVolumes() })),
    );
  const problems = async () => {
    const byNode = Map.groupBy(await stored(), ({ place }) => place.replace(/@.*/, ''));
    const storages = Array.from(byNode, ([name, all]) => ({ node: name, volumes: all.flatMap((one) => one.volumes) }));
    return disagreements(store, storages);
  };
  await until(async () => (await problems()).length === 0, 'all agrees', 30_000).catch(() => undefined);
  return problems();
}

async function allocated(...ids: string[]): Promise<number[]> {
  const { states } = await backendsOf(store).readAll(ids);
  return states.map(({ allocatedBytes }) => allocatedBytes / MiB);
}

test.serial('a volume moves to another node with its data, holes included, and nothing of it stays', async (t) => {
  await node('n1');
  await node('n2');
  const { id, data } = await volumeWithData('n1@files');
  const moved = await migrations.migrate(id, {}, deadline);
  t.like(moved, { id, status: 'available', node: 'n2', backend: 'files', migration: '', task: undefined });
  const path = pathOf('n2@files', id);
  t.true((await readFile(path)).equals(data));
  t.true((await stat(path)).blocks * 512 < 20 * MiB, 'holes are holes');
  const back = await migrations.migrate(id, { to: 'n1' }, deadline);
  t.is(back.node, 'n1');
  t.true(
    (await readFile(pathOf('n1@files', id))).equals(data),
    'it was there before, and its former storage was still there',
  );
  t.deepEqual(await settled(), []);
  t.deepEqual(await allocated('n1@files', 'n2@files'), [100, 0]);
  t.deepEqual(await drivers['n2@files']?.listVolumes(), []);
});

test.serial('a volume moves although its storage cannot be listed for a moment when it arrives', async (t) => {
  await node('n1');
  await node('n2');
  const { id, data } = await volumeWithData('n1@files');
  const driver = drivers['n2@files'];
  if (!driver) throw new Error('n2 has no driver');
  const listed = driver.listVolumes.bind(driver);
  let failures = 0;
  driver.listVolumes = async () => {
    const { node: at, status } = await volumesOf(store).lookup(id);
    if (at !== 'n2' || status !== 'migrating' || failures > 0) return listed();
    failures += 1;
    throw errors.lvmFailed('lvs', 'simulated');
  };
  t.like(await migrations.migrate(id, { to: 'n2' }, deadline), { node: 'n2', status: 'available' });
  t.is(failures, 1);
  t.true((await readFile(pathOf('n2@files', id))).equals(data));
  t.deepEqual(await settled(), []);
});

test.serial('a volume moves to another backend of its node, and can be used there', async (t) => {
  await node('n1', ['one', 'other']);
  const { id } = await volumes.create({ ...newVolume, node: 'n1@one' }, deadline);
  const moved = await migrations.migrate(id, { to: 'n1@other' }, deadline);
  t.like(moved, { node: 'n1', backend: 'other', status: 'available' });
  t.deepEqual(await settled(), []);
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await t.throwsAsync(migrations.migrate(id, { to: 'n1@one' }, deadline), { code: 'VolumeAttached' });
  await volumes.detach(id, deadline);
  await t.throwsAsync(migrations.migrate(id, { to: 'n1@other' }, deadline), { code: 'SamePlace' });
  await volumes.delete(id, deadline);
  t.deepEqual(await settled(), []);
});

test.serial('what cannot move is refused, and stays as it is', async (t) => {
  await node('n1');
  const { id } = await volumes.create({ ...newVolume, node: 'n1' }, deadline);
  await t.throwsAsync(migrations.migrate(id, {}, deadline), {
    code: 'NoUsableBackend',
    message: /its node has volume/,
  });
  await t.throwsAsync(migrations.migrate(id, { to: 'n9' }, deadline), { code: 'NodeNotFound' });
  await t.throwsAsync(migrations.migrate(randomUUID(), {}, deadline), { code: 'VolumeNotFound' });
  await node('n2');
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const snapshot = await snapshots.create(id, { userId: 'user', projectId: 'project' }, deadline);
  await t.throwsAsync(migrations.migrate(id, {}, deadline), { code: 'VolumeHasSnapshots' });
  await snapshots.delete(snapshot.id, deadline);
  await setClosed(store, 'n2', true);
  await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), {
    code: 'NoUsableBackend',
    message: /n2@files: takes no further volumes: its node is being drained/,
  });
  await setClosed(store, 'n2', false);
  t.is((await migrations.migrate(id, { to: 'n2' }, deadline)).node, 'n2');
  t.deepEqual(await settled(), []);
});

test.serial('a destination without space reports it, and the volume stays available', async (t) => {
  await node('n1');
  const { id, data } = await volumeWithData('n1@files');
  const fullDirectory = join(cluster.directory, 'n2@files');
  await mkdir(fullDirectory);
  const full = new FileDriver({ directory: fullDirectory });
  drivers['n2@files'] = full;
  full.createVolume = () => Promise.reject(Object.assign(new Error('ENOSPC'), { syscall: 'write' }));
  await cluster.node('n2', { report_interval: '1' }, { name: 'files', driver: full });
  await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'SystemRefused' });
  t.like(await volumesOf(store).lookup(id), { status: 'available', node: 'n1', migration: '', fault: undefined });
  t.true((await readFile(pathOf('n1@files', id))).equals(data));
  t.deepEqual(await settled(), []);
  t.deepEqual(await allocated('n1@files', 'n2@files'), [100, 0]);
});

test.serial('what a failed migration has left is not removed from under the next one', async (t) => {
  await node('n1', ['files'], { num_shell_tries: '1', migration_rate: '20' });
  await node('n2', ['files'], { report_interval: '4' }); // it sees the end of the first while the second is under way
  const { id, data } = await volumeWithData('n1@files', { isFull: true });
  const { 'n1@files': source, 'n2@files': destination } = drivers;
  const label = source?.labelVolume.bind(source);
  const remove = destination?.deleteVolume.bind(destination);
  const removed: string[] = [];
  Object.assign(source ?? {}, { labelVolume: () => Promise.reject(new Error('no room for labels')) });
  await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { message: /no room for labels/ });
  Object.assign(source ?? {}, { labelVolume: label });
  const deleteVolume: FileDriver['deleteVolume'] = async (volume, options) => {
    // Where it sees the end of the first before the second begins, it is right to remove that.
    if ((await volumesOf(store).lookup(id)).status === 'migrating') removed.push(volume.id);
    await remove?.(volume, options);
  };
  Object.assign(destination ?? {}, { deleteVolume });
  t.like(await migrations.migrate(id, { to: 'n2' }, deadline), { node: 'n2', status: 'available' });
  t.deepEqual(removed, []);
  t.true((await readFile(pathOf('n2@files', id))).equals(data));
  t.deepEqual(await settled(), []);
});

test.serial('a migration goes on after either daemon has ended', async (t) => {
  const n1 = await node('n1', ['files'], { migration_rate: '20', stop_timeout: '0' });
  await node('n2');
  const { id, data } = await volumeWithData('n1@files', { isFull: true });
  const under = migrations.migrate(id, { to: 'n2' }, deadline);
  await until(async () => ((await volumesOf(store).find(id))?.progress ?? 0) > 10, 'data are sent');
  await n1.stop();
  t.like(await volumesOf(store).lookup(id), { status: 'migrating', node: 'n1' });
  await cluster.node('n1', { report_interval: '1' }, { name: 'files', driver: await driverIn('n1@files') });
  t.like(await under, { status: 'available', node: 'n2' });
  t.true((await readFile(pathOf('n2@files', id))).equals(data));
  t.deepEqual(await settled(), []);
});

test.serial('a node that is drained keeps what cannot move, and takes no volumes until it is opened', async (t) => {
  await node('n1');
  await node('n2');
  const made = await Promise.all([1, 2, 3].map(() => volumes.create({ ...newVolume, node: 'n1' }, deadline)));
  const [attached = newVolume, ...others] = made;
  const attachedId = 'id' in attached ? String(attached.id) : '';
  await volumes.attach(attachedId, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const moved: string[] = [];
  const failed: [string, string][] = [];
  await drain(store, (id) => migrations.migrate(id, {}, deadline), 'n1', {
    onMoved: ({ id, node: place }) => void moved.push(`${id} ${place}`),
    onFailed: (id, { code }) => void failed.push([id, code]),
    onUnreadable: () => t.fail(),
  });
  t.deepEqual(moved.toSorted(), others.map(({ id }) => `${id} n2`).toSorted());
  t.deepEqual(failed, [[attachedId, 'VolumeAttached']]);
  await t.throwsAsync(volumes.create({ ...newVolume, node: 'n1' }, deadline), { message: /its node is being drained/ });
  t.is((await volumes.create(newVolume, deadline)).node, 'n2');
  t.is((await volumes.extend(attachedId, 1, deadline)).size, 1);
  await setClosed(store, 'n1', false);
  t.is((await volumes.create({ ...newVolume, node: 'n1' }, deadline)).node, 'n1');
  t.deepEqual(await settled(), []);
});

test.serial('a volume gets another type where it is, or moves to a backend that meets it', async (t) => {
  await node('n1', ['slow', 'fast']);
  const slow = await createType(store, { name: 'slow', requirements: { backend: 'slow' } });
  const any = await createType(store, { name: 'any' });
  const fast = await createType(store, { name: 'fast', requirements: { backend: 'fast' } });
  const { id } = await volumes.create({ ...newVolume, type: slow.id }, deadline);
  t.like(await migrations.retype(id, any.id, { mayMigrate: false, ...deadline }), { type: any.id, backend: 'slow' });
  await t.throwsAsync(migrations.retype(id, fast.id, { mayMigrate: false, ...deadline }), {
    code: 'TypeNotMet',
    message: /its backend is slow, not fast/,
  });
  const moved = await migrations.retype(id, fast.id, { mayMigrate: true, ...deadline });
  t.like(moved, { type: fast.id, backend: 'fast', status: 'available' });
  t.deepEqual(await settled(), []);
});

test.serial(
  'storage that a volume has left is removed at a start, where Redis has lost that it is there',
  async (t) => {
    const first = await node('n1');
    await node('n2');
    const { id } = await volumes.create({ ...newVolume, node: 'n2' }, deadline);
    const volume = await volumesOf(store).lookup(id);
    await first.stop();
    await drivers['n1@files']?.createVolume(markedSpec(volume, movedLabel, 'n2@files'));
    await node('n1');
    await until(async () => (await drivers['n1@files']?.listVolumes())?.length === 0, 'it is removed', 60_000);
    t.deepEqual(await settled(), []);
    t.is((await volumesOf(store).lookup(id)).status, 'available');
  },
);

/** The edit that makes the record of an attachment again as it is now. */
async function recordedAttachment(id: string): Promise<Edit> {
  return { kind: 'attachment', id, insert: true, set: await store.redis.hgetall(store.keys.attachment(id)) };
}

for (const wasAttached of [false, true]) {
  const what = wasAttached ? 'the migration, and the detach before it' : 'the migration';
  test.serial(`storage that a volume has left is never served again, although Redis has lost ${what}`, async (t) => {
    const n1 = await node('n1');
    await node('n2');
    const { id, data } = await volumeWithData('n1@files');
    if (wasAttached) await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
    const before = await store.redis.hgetall(store.keys.volume(id));
    const uses = wasAttached ? [await recordedAttachment(before['attachments'] ?? '')] : [];
    if (wasAttached) await volumes.detach(id, deadline);
    const first = drivers['n1@files'];
    // Its removal waits: the state of Redis goes back meanwhile.
    const remove = first?.deleteVolume.bind(first);
    if (first) first.deleteVolume = () => Promise.reject(new Error('busy'));
    await migrations.migrate(id, { to: 'n2' }, deadline);
    const changed = await open(pathOf('n2@files', id), 'r+');
    await changed.write(Buffer.from('written after the migration'), 0, 27, 0);
    await changed.close();
    Buffer.from('written after the migration').copy(data);
    if (!wasAttached) await n1.stop();
    await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
    await commit(store, {
      edits: [{ kind: 'volume', id, insert: true, set: before }, ...uses],
    });
    t.is((await volumesOf(store).lookup(id)).node, 'n1');
    if (wasAttached) {
      if (first && remove) first.deleteVolume = remove;
      t.like(await volumes.detach(id, deadline), { attachStatus: 'detached' });
      await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
    } else {
      await cluster.node('n1', { report_interval: '1' }, { name: 'files', driver: await driverIn('n1@files') });
    }
    const isThere = async () => (await volumesOf(store).lookup(id)).node === 'n2';
    await until(isThere, 'its record names the node that has its data');
    await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
    t.true((await readFile(pathOf('n2@files', id))).equals(data));
    t.deepEqual(await settled(), []);
  });
}
