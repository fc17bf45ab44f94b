import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { backendsOf } from '../../../lib/models/backend.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Volumes that are made from snapshots and volumes of another node, with the driver file. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const owner = { userId: 'user', projectId: 'project' };
const newVolume = { ...owner, size: 0 };

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let snapshots: SnapshotCommands;
let drivers: Record<string, FileDriver>;

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  volumes = await cluster.commands();
  snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  drivers = {};
});
test.afterEach.always(() => cluster.close());

/** A volume full of data takes two minutes, which nothing waits for. */
const slowly = { migration_rate: '1', stop_timeout: '1' };

async function node(name: string, backends: readonly string[] = ['files'], flags = {}) {
  const made = await Promise.all(
    backends.map(async (backend) => {
      const directory = join(cluster.directory, `${name}@${backend}`);
      await mkdir(directory, { recursive: true });
      const driver = new FileDriver({ directory });
      drivers[`${name}@${backend}`] = driver;
      return { name: backend, driver };
    }),
  );
  const fake = { name: 'fake', driver: new FakeDriver() };
  return cluster.node(
    name,
    { report_interval: '1', node_down_time: '3', ...flags },
    name === 'n1' ? [...made, fake] : made,
  );
}

function pathOf(place: string, id: string): string {
  return drivers[place]?.localPath({ id, size: 0, sizeBytes: 100 * MiB, labels: {} }) ?? '';
}

async function write(place: string, id: string, offset: number, length = MiB): Promise<void> {
  const file = await open(pathOf(place, id), 'r+');
  await file.write(randomBytes(length), 0, length, offset);
  await file.close();
}

/** Nothing is left of what was sent, and everything agrees. */
async function settled(): Promise<string[]> {
  const problems = async () => {
    const stored = await Promise.all(
      Object.entries(drivers).map(async ([place, driver]) => ({ place, volumes: await driver.listVolumes() })),
    );
    const byNode = Map.groupBy(stored, ({ place }) => place.replace(/@.*/, ''));
    return disagreements(
      store,
      Array.from(byNode, ([name, all]) => ({ node: name, volumes: all.flatMap((one) => one.volumes) })),
    );
  };
  await until(async () => (await problems()).length === 0, 'all agrees', 60_000).catch(() => undefined);
  return problems();
}

async function allocated(...ids: string[]): Promise<number[]> {
  const { states } = await backendsOf(store).readAll(ids);
  return states.map(({ allocatedBytes }) => allocatedBytes / MiB);
}

test.serial('a volume from a snapshot on another node has its data, and zeros behind them', async (t) => {
  await node('n1');
  await node('n2');
  const { id } = await volumes.create({ ...newVolume, node: 'n1@files', name: 'first' }, deadline);
  for (const offset of [0, 50 * MiB, 99 * MiB]) await write('n1@files', id, offset);
  const before = await readFile(pathOf('n1@files', id));
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const { id: fromSnapshot } = await snapshots.create(id, { ...owner, force: true }, deadline);
  await write('n1@files', id, 0);

  const request = { ...newVolume, id: randomUUID(), size: 1, fromSnapshot, node: 'n2' };
  const copy = await volumes.create(request, deadline);
  t.like(copy, { node: 'n2', backend: 'files', status: 'available', isCopying: false, migration: '', fromSnapshot });
  t.is(copy.movedFrom, '');
  const found = await readFile(pathOf('n2@files', copy.id));
  t.is(found.length, 2 ** 30);
  t.true(found.subarray(0, before.length).equals(before));
  t.true(found.subarray(before.length).every((byte) => byte === 0));
  t.true((await stat(pathOf('n2@files', copy.id))).blocks * 512 < 20 * MiB, 'holes are holes');
  t.like(await volumes.create(request, deadline), { id: copy.id, node: 'n2' }, 'the same request has the same end');
  await t.throwsAsync(volumes.create({ ...request, node: 'n1' }, deadline), { code: 'VolumeExists' });

  await volumes.detach(id, deadline);
  await snapshots.delete(fromSnapshot, deadline);
  await volumes.delete(id, deadline);
  t.deepEqual(await settled(), []);
  t.deepEqual(await allocated('n1@files', 'n2@files'), [0, 1024]);
  await volumes.attach(copy.id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
});

test.serial('a volume from another volume on another backend has its data, and neither is in the way', async (t) => {
  await node('n1', ['files', 'other']);
  const { id } = await volumes.create({ ...newVolume, node: 'n1@files' }, deadline);
  await write('n1@files', id, 7 * MiB);
  const clone = await volumes.create({ ...newVolume, fromVolume: id, node: 'n1@other' }, deadline);
  t.like(clone, { node: 'n1', backend: 'other', status: 'available', fromVolume: id });
  t.true((await readFile(pathOf('n1@other', clone.id))).equals(await readFile(pathOf('n1@files', id))));
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const refused = volumes.create({ ...newVolume, fromVolume: id, node: 'n1@other' }, deadline);
  await t.throwsAsync(refused, {
    code: 'WrongStatus',
    message: /is in-use: its data cannot be sent to another backend/,
  });
  t.deepEqual(await settled(), []);
});

test.serial('what cannot be copied there leaves nothing', async (t) => {
  await node('n1');
  await node('n2');
  const { id } = await volumes.create({ ...newVolume, node: 'n1@files' }, deadline);
  const { id: fromSnapshot } = await snapshots.create(id, owner, deadline);
  const expected = { ...newVolume, fromSnapshot, node: 'n2' };
  await t.throwsAsync(volumes.create({ ...expected, node: 'n9' }, deadline), { code: 'NodeNotFound' });
  await t.throwsAsync(volumes.create({ ...expected, node: 'n1@fake' }, deadline), { code: 'NoUsableBackend' });
  await t.throwsAsync(volumes.create({ ...expected, group: randomUUID() }, deadline), { code: 'OtherBackend' });
  const fake = await volumes.create({ ...newVolume, node: 'n1@fake' }, deadline);
  await t.throwsAsync(volumes.create({ ...newVolume, fromVolume: fake.id, node: 'n2' }, deadline), {
    code: 'NotCapable',
  });
  await volumes.delete(fake.id, deadline);

  // The destination has no room after all.
  const [driver, other] = [drivers['n1@files'], drivers['n2@files']];
  if (!driver || !other) throw new Error('no driver');
  const createVolume = other.createVolume.bind(other);
  other.createVolume = () => Promise.reject(errors.noSpace('disk', 1, 0));
  const failed = randomUUID();
  await t.throwsAsync(volumes.create({ ...expected, id: failed }, deadline), { code: 'NoSpace' });
  t.like(await volumesOf(store).lookup(failed), { status: 'error', migration: '', node: 'n1' });
  other.createVolume = createVolume;

  // The snapshot becomes unusable while it is read.
  const openSnapshot = driver.snapshots.openSnapshot.bind(driver.snapshots);
  let opened = 0;
  driver.snapshots.openSnapshot = async (spec) => {
    opened += 1;
    if (opened > 1) throw errors.snapshotUnusable(spec.id, 'it has overflowed');
    return openSnapshot(spec);
  };
  const unusable = randomUUID();
  await t.throwsAsync(volumes.create({ ...expected, id: unusable }, deadline), { code: 'SnapshotUnusable' });
  driver.snapshots.openSnapshot = openSnapshot;
  for (const one of [failed, unusable]) await volumes.delete(one, deadline);
  await until(async () => (await other.listVolumes()).length === 0, 'nothing is left there', 60_000);
  // The record of a migration is removed after its storage.
  const isForgotten = async () => (await store.redis.zcard(store.keys.nodeMigrations('n2'))) === 0;
  await until(isForgotten, 'no migration is left', 60_000);
  t.deepEqual(await settled(), []);
});

/** Returns once data of a copy are sent, slowly. */
async function sending(id: string): Promise<void> {
  await until(async () => ((await volumesOf(store).lookup(id)).progress ?? 0) > 0, 'data are sent', 60_000);
}

test.serial('a daemon that stops while the data are sent goes on after its start', async (t) => {
  const source = await node('n1', ['files'], slowly);
  await node('n2');
  const { id } = await volumes.create({ ...newVolume, node: 'n1@files' }, deadline);
  await write('n1@files', id, 0, 100 * MiB);
  const { id: fromSnapshot } = await snapshots.create(id, owner, deadline);
  const copyId = randomUUID();
  const copying = volumes.create({ ...newVolume, id: copyId, fromSnapshot, node: 'n2' }, deadline);
  await sending(copyId);
  await t.throwsAsync(snapshots.delete(fromSnapshot, deadline), { code: 'SnapshotIsCopied' });
  await source.stop();
  await node('n1');
  t.like(await copying, { node: 'n2', status: 'available' });
  t.true((await readFile(pathOf('n2@files', copyId))).equals(await readFile(pathOf('n1@files', id))));
  t.deepEqual(await settled(), []);
});

test.serial('a source that is declared lost leaves a volume in error, and nothing at the destination', async (t) => {
  const source = await node('n1', ['files'], slowly);
  await node('n2');
  const { id } = await volumes.create({ ...newVolume, node: 'n1@files' }, deadline);
  await write('n1@files', id, 0, 100 * MiB);
  const { id: fromSnapshot } = await snapshots.create(id, owner, deadline);
  const copyId = randomUUID();
  const copying = volumes.create({ ...newVolume, id: copyId, fromSnapshot, node: 'n2' }, deadline);
  const ended = t.throwsAsync(copying, { code: 'NodeLost' });
  await sending(copyId);
  await source.stop();
  const lose = () => declareLost(store, 'n1', { topic: 'volume' });
  await until(async () => (await lose().catch(() => undefined)) !== undefined, 'n1 is lost', 60_000);
  await ended;
  t.like(await volumesOf(store).lookup(copyId), { status: 'error', migration: '' });
  const isEmpty = async () => (await drivers['n2@files']?.listVolumes())?.length === 0;
  await until(isEmpty, 'nothing is left there', 60_000);
  await volumes.delete(copyId, deadline);
});
