import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { lastEvents } from '../../../lib/client/event-reader.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { taskText } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Volumes that go back to their snapshots, with the driver file. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const owner = { userId: 'user', projectId: 'project' };

let place: string;
let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let snapshots: SnapshotCommands;
let files: FileDriver;

test.before(async () => {
  place = await mkdtemp(join(tmpdir(), 'revert-'));
  cluster = await Cluster.start();
  store = await cluster.store();
  await mkdir(join(place, 'volumes'));
  files = new FileDriver({ directory: join(place, 'volumes') });
  await cluster.node('n1', {}, [
    { name: 'files', driver: files },
    { name: 'fake', driver: new FakeDriver() },
  ]);
  volumes = await cluster.commands();
  snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
});

test.after.always(async () => {
  await cluster?.close();
  await rm(place, { recursive: true });
});

const to = (id: string) => ({ kind: 'snapshot', id }) as const;
const pathOf = (id: string) => join(place, 'volumes', `volume-${id}`);
const snapshotPath = (id: string) => join(place, 'volumes', `snapshot-${id}`);

async function create(more: object = {}): Promise<string> {
  return (await volumes.create({ ...owner, size: 0, node: 'n1@files', ...more }, deadline)).id;
}

async function write(id: string, data: Buffer, offset: number): Promise<void> {
  const file = await open(pathOf(id), 'r+');
  await file.write(data, 0, data.length, offset);
  await file.close();
}

async function take(volume: string): Promise<string> {
  return (await snapshots.create(volume, owner, deadline)).id;
}

async function labels(id: string) {
  return (await files.listVolumes()).find((one) => one.id === id)?.labels ?? {};
}

test.serial('a volume gets the data of its latest snapshot, which all of its snapshots keep', async (t) => {
  const id = await create({ name: 'data' });
  await write(id, randomBytes(MiB), 0);
  const first = await take(id);
  const ofFirst = await readFile(snapshotPath(first));
  await write(id, randomBytes(MiB), 3 * MiB + 17);
  const latest = await take(id);
  const before = await readFile(pathOf(id));
  await write(id, randomBytes(5 * MiB), MiB);
  await write(id, randomBytes(10), 100 * MiB - 10);

  const older = { code: 'SnapshotNotLatest', message: new RegExp(`latest snapshot, ${latest}, not to ${first}`) };
  await t.throwsAsync(volumes.restore(id, to(first), deadline), older);
  const reverted = await volumes.restore(id, to(latest), deadline);
  t.like(reverted, { status: 'available', name: 'data', restoreFrom: undefined, fault: undefined });
  t.true((await readFile(pathOf(id))).equals(before));
  t.like(await labels(id), { restored: String(reverted.restoredTime) });
  t.is((await labels(id))['restore'], undefined);
  t.true((await readFile(snapshotPath(first))).equals(ofFirst));
  t.true((await readFile(snapshotPath(latest))).equals(before));

  await write(id, randomBytes(MiB), 0);
  await volumes.restore(id, to(latest), deadline);
  t.true((await readFile(pathOf(id))).equals(before), 'as often as it is asked for');
  t.true((await stat(pathOf(id))).blocks * 512 < 50 * MiB, 'holes are holes');

  await snapshots.delete(latest, deadline);
  await volumes.restore(id, to(first), deadline);
  t.true((await readFile(pathOf(id))).equals(ofFirst), 'the one before is the latest then');
  const { events } = await lastEvents(store, 1000);
  const own = events.filter(({ volume, event }) => volume === id && event.startsWith('volume.restore.'));
  t.deepEqual(own.map(({ event, restoreFrom }) => `${event} ${restoreFrom}`).slice(0, 2), [
    `volume.restore.start snapshot:${latest}`,
    `volume.restore.end snapshot:${latest}`,
  ]);
  await volumes.delete(id, { ...deadline, withSnapshots: true });
});

test.serial('what cannot go back is refused, and stays as it is', async (t) => {
  const id = await create();
  await write(id, randomBytes(MiB), 0);
  const snapshot = await take(id);
  const other = await create();
  const before = await readFile(pathOf(id));
  await t.throwsAsync(volumes.restore(id, to(randomUUID()), deadline), { code: 'SnapshotNotFound' });
  await t.throwsAsync(volumes.restore(other, to(snapshot), deadline), {
    code: 'SnapshotNotLatest',
    message: /has no snapshots/,
  });
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await t.throwsAsync(volumes.restore(id, to(snapshot), deadline), { code: 'VolumeAttached' });
  await volumes.detach(id, deadline);

  const status = async (text: string) => {
    await commit(store, { edits: [{ kind: 'snapshot', id: snapshot, set: { status: text } }] });
  };
  await status('error');
  await t.throwsAsync(volumes.restore(id, to(snapshot), deadline), { code: 'WrongStatus', message: /is error/ });
  await status('available');

  await truncate(snapshotPath(snapshot), MiB);
  await t.throwsAsync(volumes.restore(id, to(snapshot), deadline), { code: 'SnapshotUnusable' });
  t.like(await volumesOf(store).lookup(id), { status: 'available', restoreFrom: undefined, fault: undefined });
  await truncate(snapshotPath(snapshot), 100 * MiB);

  await volumes.extend(id, 1, deadline);
  await t.throwsAsync(volumes.restore(id, to(snapshot), deadline), { code: 'SizeDiffers' });
  t.true((await readFile(pathOf(id))).subarray(0, before.length).equals(before), 'nothing was written');
  t.like(await volumesOf(store).lookup(id), { status: 'available', size: 1, task: undefined });
  const { id: fake } = await volumes.create({ ...owner, size: 0, node: 'n1@fake' }, deadline);
  await t.throwsAsync(volumes.restore(fake, to(await take(fake)), deadline), { code: 'NotCapable' });
  for (const one of [id, other, fake]) await volumes.delete(one, { ...deadline, withSnapshots: true });
});

test.serial('a snapshot that is taken between a request and its change is not overlooked', async (t) => {
  const id = await create();
  const first = await take(id);
  const latest = await take(id);
  await write(id, randomBytes(MiB), 0);
  const before = await readFile(pathOf(id));
  // As the request would have left it that read the snapshots before the latest one was there.
  const set = { status: 'restoring', restoreFrom: `snapshot:${first}`, task: taskText('restore') };
  await commit(store, { edits: [{ kind: 'volume', id, set, stamp: ['restoreTime'] }] });
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
  t.true((await readFile(pathOf(id))).equals(before));
  t.like(await volumesOf(store).lookup(id), { restoreFrom: undefined, restoredTime: undefined });
  await volumes.restore(id, to(latest), deadline);
  await volumes.delete(id, { ...deadline, withSnapshots: true });
});

test.serial('a volume that could go back by half alone is not used: it goes back again, or is deleted', async (t) => {
  const id = await create();
  await write(id, randomBytes(MiB), 0);
  const snapshot = await take(id);
  const before = await readFile(pathOf(id));
  const { snapshots: verbs } = files;
  const usable = verbs.openSnapshot.bind(verbs);
  let [opened, fails] = [0, true];
  verbs.openSnapshot = async (spec) => {
    opened += 1;
    if (fails && opened % 2 === 0) throw errors.snapshotUnusable(spec.id, 'it has overflowed');
    return usable(spec);
  };
  t.teardown(() => {
    verbs.openSnapshot = usable;
  });
  const failed = async () => {
    [opened, fails] = [0, true];
    await write(id, randomBytes(MiB), 0);
    await t.throwsAsync(volumes.restore(id, to(snapshot), deadline), { code: 'SnapshotUnusable' });
    const record = {
      status: 'error_restoring',
      restoreFrom: to(snapshot),
      fault: { code: 'SnapshotUnusable' },
    } as const;
    t.like(await volumesOf(store).lookup(id), record);
    t.like(await labels(id), { restore: `snapshot:${snapshot}` });
    fails = false;
  };
  await failed();
  await t.throwsAsync(volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline), {
    code: 'WrongStatus',
  });
  await t.throwsAsync(snapshots.create(id, owner, deadline), { code: 'WrongStatus' });
  await volumes.restore(id, to(snapshot), deadline);
  t.true((await readFile(pathOf(id))).equals(before));
  await failed();
  await snapshots.delete(snapshot, deadline);
  await volumes.delete(id, deadline);
});

test.serial('what the storage says of a revert holds, whatever an older state of Redis says', async (t) => {
  const id = await create();
  await write(id, randomBytes(MiB), 0);
  const snapshot = await take(id);
  const whole = await readFile(pathOf(id));
  const audit = async () => (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
  const spoil = async () => {
    await write(id, Buffer.alloc(MiB, 'half'), 0);
    const { restored: _, ...others } = await labels(id);
    await files.labelVolume({
      id,
      size: 0,
      sizeBytes: 100 * MiB,
      labels: { ...others, restore: `snapshot:${snapshot}` },
    });
  };
  const isWhole = async () => {
    await until(async () => (await volumesOf(store).find(id))?.status === 'available', 'it is available');
    t.true((await readFile(pathOf(id))).equals(whole));
    t.is((await labels(id))['restore'], undefined);
  };

  // Redis has lost that it goes back.
  await spoil();
  await audit();
  await isWhole();

  // Redis has lost its record, and that of its snapshot.
  await spoil();
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot, remove: true }] });
  await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
  await audit();
  await until(async () => (await snapshotsOf(store).find(snapshot)) !== undefined, 'the snapshot has its record');
  await until(async () => (await volumesOf(store).find(id))?.task === undefined, 'its task has ended');
  if ((await volumesOf(store).lookup(id)).status !== 'available') await volumes.restore(id, to(snapshot), deadline);
  await isWhole();

  // Redis has a revert again that has ended: what was written since stays.
  const { restoredTime } = await volumesOf(store).lookup(id);
  const later = randomBytes(4096);
  await write(id, later, 0);
  const set = { status: 'restoring', restoreFrom: `snapshot:${snapshot}`, task: taskText('restore') };
  await commit(store, { edits: [{ kind: 'volume', id, set: { ...set, restoreTime: String(restoredTime) } }] });
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
  t.true((await readFile(pathOf(id))).subarray(0, later.length).equals(later));
  await volumes.delete(id, { ...deadline, withSnapshots: true });
});
