import { randomUUID } from 'node:crypto';
import { imageInfo, cloneDepth } from '../../../../lib/drivers/rbd/images.ts';
import { RbdCommands } from '../../../../lib/rbd/commands.ts';
import type { RbdDriver } from '../../../../lib/drivers/rbd/driver.ts';
import type { VolumeSpec } from '../../../../lib/drivers/driver.ts';
import type { SnapshotSpec } from '../../../../lib/drivers/snapshots.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { until } from '../../../support/until.ts';
import { spec } from '../conformance.ts';
import { data, expectFilled, fill, openVolume } from './data.ts';
import { ceph, driverOn, newPool, real, startCeph } from './pools.ts';

startCeph();

function snapshotOf(volume: VolumeSpec): SnapshotSpec {
  return { id: randomUUID(), volume, labels: { user: 'ä "b"', name: '' } };
}

async function imagesOf(driver: RbdDriver): Promise<string[]> {
  return (await ceph().run('rbd', ['--pool', driver.pool, 'ls'])).split('\n').filter((line) => line !== '');
}

function commandsOf(driver: RbdDriver): RbdCommands {
  return new RbdCommands({ pool: driver.pool, user: 'admin', conf: ceph().conf }, new ChildProcesses());
}

async function depthOf(driver: RbdDriver, volume: VolumeSpec): Promise<number> {
  const info = await imageInfo(commandsOf(driver), `volume-${volume.id}`);
  if (info === undefined) throw new Error('no image');
  return cloneDepth(commandsOf(driver), info, 100);
}

data('a volume from a snapshot has the data of its moment, whatever happens to volume and snapshot', async (t) => {
  const driver = await newPool();
  const volume = spec();
  const snapshot = snapshotOf(volume);
  const copy = spec();
  await driver.createVolume(volume);
  await fill(driver, volume, 1);
  await driver.snapshots.createSnapshot(snapshot);
  await driver.snapshots.createSnapshot(snapshot);
  await fill(driver, volume, 2);
  t.true(await driver.snapshots.hasSnapshot(snapshot));
  t.deepEqual(await driver.snapshots.listSnapshots(), [
    { id: snapshot.id, volumeId: volume.id, sizeBytes: volume.sizeBytes, labels: snapshot.labels },
  ]);
  t.true((await driver.snapshots.createFromSnapshot(copy, snapshot)).isNew);
  t.false((await driver.snapshots.createFromSnapshot(copy, snapshot)).isNew);
  await expectFilled(driver, copy, 1);
  await expectFilled(driver, volume, 2);
  const listed = (await driver.listVolumes()).find(({ id }) => id === copy.id);
  t.deepEqual(listed, { id: copy.id, sizeBytes: copy.sizeBytes, labels: copy.labels });

  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: new RegExp(`snap-${snapshot.id}`) });
  await driver.snapshots.deleteSnapshot(snapshot);
  await driver.snapshots.deleteSnapshot(snapshot);
  t.false(await driver.snapshots.hasSnapshot(snapshot));
  await driver.deleteVolume(volume);
  t.false(await driver.hasVolume(volume));
  await driver.deleteVolume(volume);
  await expectFilled(driver, copy, 1);
  t.deepEqual(
    (await driver.listVolumes()).map(({ id }) => id),
    [copy.id],
  );
  t.is((await driver.stats()).volumeBytes, copy.sizeBytes);
  await driver.deleteVolume(copy);
  await until(async () => (await imagesOf(driver)).length === 0, 'the deleted parent is removed after its copy');
});

data(
  'a clone has the data of its source, is as large as asked for, and leaves no snapshot on the source',
  async (t) => {
    const driver = await newPool({ capacityBytes: 10 * 2 ** 30 });
    const source = spec();
    const clone = spec({ size: 1 });
    await driver.createVolume(source);
    await fill(driver, source, 3);
    await driver.cloneVolume(clone, source);
    await fill(driver, source, 4);
    await expectFilled(driver, clone, 3);
    t.true(await driver.hasVolume(clone));
    t.deepEqual(await driver.snapshots.listSnapshots(), []);
    await driver.deleteVolume(source);
    await expectFilled(driver, clone, 3);
    await driver.deleteVolume(clone);
    await until(async () => (await imagesOf(driver)).length === 0, 'all images are removed');
  },
);

real('labels that another node has written are read when they are asked for', async (t) => {
  const driver = await newPool();
  const other = driverOn({ pool: driver.pool });
  const volume = spec();
  const snapshot = snapshotOf(volume);
  await driver.createVolume(volume);
  await driver.snapshots.createSnapshot(snapshot);
  t.like(await other.listVolumes(), [{ id: volume.id, labels: volume.labels }]);
  const labels = { user: 'bob', project: 'lab' };
  await driver.labelVolume({ ...volume, labels });
  await driver.snapshots.labelSnapshot({ ...snapshot, labels });
  t.deepEqual(await other.readLabels(volume.id), labels);
  t.deepEqual(await other.snapshots.readLabels({ id: snapshot.id, volumeId: volume.id }), labels);
  t.like(await other.listVolumes(), [{ labels }]);
  t.is(await other.readLabels(randomUUID()), undefined);
  t.is(await other.snapshots.readLabels({ id: randomUUID(), volumeId: volume.id }), undefined);
  await driver.snapshots.deleteSnapshot(snapshot);
  await driver.deleteVolume(volume);
});

data('a clone that was interrupted is made again, and its source can be deleted', async (t) => {
  const driver = await newPool();
  const source = spec();
  const clone = spec();
  await driver.createVolume(source);
  const left = `volume-${source.id}@blockstore-clone-${clone.id}`;
  await ceph().run('rbd', ['--pool', driver.pool, 'snap', 'create', '--no-progress', left]);
  await ceph().run('rbd', ['--pool', driver.pool, 'create', '--size', '1M', `blockstore-new-${clone.id}`]);
  await fill(driver, source, 5);
  await driver.cloneVolume(clone, source);
  await expectFilled(driver, clone, 5);
  await driver.deleteVolume(clone);
  await ceph().run('rbd', ['--pool', driver.pool, 'snap', 'create', '--no-progress', left]);
  await driver.deleteVolume(source);
  t.deepEqual(await imagesOf(driver), []);
});

real('a clone that was interrupted and is deleted leaves no snapshot on its source', async (t) => {
  const driver = await newPool();
  const [source, clone] = [spec(), spec()];
  await driver.createVolume(source);
  const left = `volume-${source.id}@blockstore-clone-${clone.id}`;
  await ceph().run('rbd', ['--pool', driver.pool, 'snap', 'create', '--no-progress', left]);
  await driver.deleteVolume(clone);
  t.is(await ceph().run('rbd', ['--pool', driver.pool, 'snap', 'ls', `volume-${source.id}`]), '');
  t.true(await driver.hasVolume(source));
});

const rounds = 20;

data('chains of copies are at most as long as allowed, and keep the data of deleted sources', async (t) => {
  t.timeout(15 * 60_000);
  const driver = await newPool({ capacityBytes: 100 * 2 ** 30, maxCloneDepth: 2 });
  let source = spec();
  await driver.createVolume(source);
  await fill(driver, source, 255);
  const percents: number[] = [];
  const depths = [];
  for (let round = 0; round < rounds; round += 1) {
    const snapshot = snapshotOf(source);
    const copy = spec();
    await fill(driver, source, round, 1);
    await driver.snapshots.createSnapshot(snapshot);
    await driver.snapshots.createFromSnapshot(copy, snapshot, { progress: (percent) => percents.push(percent) });
    depths.push(await depthOf(driver, copy));
    await driver.snapshots.deleteSnapshot(snapshot);
    await driver.deleteVolume(source);
    await expectFilled(driver, copy, 255); // of the first source
    await expectFilled(driver, copy, round, 1); // of the last one
    source = copy;
  }
  t.deepEqual(
    depths,
    Array.from({ length: rounds }, (_, round) => (round + 1) % 3),
  );
  t.is(percents.at(-1), 100);
  const needed = 1 + (depths.at(-1) ?? 0);
  await until(async () => (await imagesOf(driver)).length === needed, 'images that no copy needs are removed');
  await expectFilled(driver, source, 255);
  await driver.deleteVolume(source);
  await until(async () => (await imagesOf(driver)).length === 0, 'all images are removed');
});

real('an image of a deleted volume is kept while a copy in the trash depends on it', async (t) => {
  const driver = await newPool({ maxCloneDepth: 2 });
  const [source, copy, later] = [spec(), spec(), spec()];
  await driver.createVolume(source);
  await driver.cloneVolume(copy, source);
  await driver.cloneVolume(later, copy);
  t.is(await depthOf(driver, later), 2);
  await ceph().run('rbd', ['--pool', driver.pool, 'trash', 'mv', `volume-${copy.id}`]);
  t.is(await depthOf(driver, later), 2);
  await driver.deleteVolume(source);
  await driver.listVolumes();
  await driver.close();
  t.deepEqual(await imagesOf(driver), [`blockstore-deleted-${source.id}`, `volume-${later.id}`]);
});

data('a volume grows, keeps its data, and never shrinks', async (t) => {
  const driver = await newPool({ capacityBytes: 2 * 2 ** 30 });
  const volume = spec();
  await driver.createVolume(volume);
  await fill(driver, volume, 6);
  const larger = { ...volume, size: 1, sizeBytes: 2 ** 30 };
  await driver.extendVolume(larger);
  await driver.extendVolume(larger);
  await driver.extendVolume(volume);
  t.is((await driver.listVolumes())[0]?.sizeBytes, larger.sizeBytes);
  await expectFilled(driver, volume, 6);
  await t.throwsAsync(driver.extendVolume({ ...volume, size: 3, sizeBytes: 3 * 2 ** 30 }), { code: 'NoSpace' });
  await t.throwsAsync(driver.extendVolume(spec({ size: 1 })), { code: 'StorageMissing' });
  await driver.deleteVolume(volume);
});

data('a volume that a client has open is busy, and the client is named', async (t) => {
  const driver = await newPool({ watcherMs: 1000 });
  const volume = spec();
  await driver.createVolume(volume);
  const client = openVolume(driver, volume);
  t.teardown(client.kill);
  const status = async () => ceph().run('rbd', ['--pool', driver.pool, 'status', `volume-${volume.id}`]);
  await until(async () => /watcher=/.test(await status()), 'the client has the volume open');
  await t.throwsAsync(driver.deleteVolume(volume), {
    code: 'VolumeBusy',
    message: /open by the client at 127\.0\.0\.1:0\/\d+/,
  });
  const clone = spec();
  await driver.cloneVolume(clone, volume);
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /open by the client/ });
  await client.close();
  await driver.deleteVolume(volume);
  t.false(await driver.hasVolume(volume));
});

data('a delete waits until Ceph gives up a client that died', async (t) => {
  const driver = await newPool();
  const volume = spec();
  await driver.createVolume(volume);
  const client = openVolume(driver, volume);
  const status = async () => ceph().run('rbd', ['--pool', driver.pool, 'status', `volume-${volume.id}`]);
  await until(async () => /watcher=/.test(await status()), 'the client has the volume open');
  await client.kill();
  await driver.deleteVolume(volume);
  t.deepEqual(await imagesOf(driver), []);
});

real('missing sources are named, and leave nothing', async (t) => {
  const driver = await newPool();
  const source = spec();
  const snapshot = snapshotOf(source);
  await t.throwsAsync(driver.cloneVolume(spec(), source), { code: 'StorageMissing' });
  await t.throwsAsync(driver.snapshots.createSnapshot(snapshot), { code: 'StorageMissing' });
  await driver.createVolume(source);
  await t.throwsAsync(driver.snapshots.createFromSnapshot(spec(), snapshot), { code: 'SnapshotMissing' });
  t.deepEqual(await imagesOf(driver), [`volume-${source.id}`]);
});

real('a protected snapshot is busy, with the command that ends its protection', async (t) => {
  const driver = await newPool();
  const source = spec();
  const snapshot = snapshotOf(source);
  await driver.createVolume(source);
  await driver.snapshots.createSnapshot(snapshot);
  const name = `volume-${source.id}@snap-${snapshot.id}`;
  await ceph().run('rbd', ['--pool', driver.pool, 'snap', 'protect', name]);
  const error = await t.throwsAsync(driver.snapshots.deleteSnapshot(snapshot), { code: 'SnapshotBusy' });
  t.true(error?.message.includes(`rbd snap unprotect ${driver.pool}/${name}`));
  await ceph().run('rbd', ['--pool', driver.pool, 'snap', 'unprotect', name]);
  await driver.snapshots.deleteSnapshot(snapshot);
});

real('an image of others with the name of a volume is neither taken nor removed', async (t) => {
  const driver = await newPool();
  const [volume, copied] = [spec(), spec()];
  await ceph().run('rbd', ['--pool', driver.pool, 'create', '--size', '1G', `volume-${volume.id}`]);
  await t.throwsAsync(driver.createVolume(volume), { code: 'VolumeExists', message: /not labelled/ });
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /lacks its label/ });
  await t.throwsAsync(driver.labelVolume(volume), { code: 'StorageMissing', message: /exists without it/ });
  t.deepEqual(await driver.listVolumes(), []);
  t.is((await driver.stats()).volumeBytes, 0);
  t.is((await driver.stats()).freeBytes, 1.5 * 2 ** 30);
  // A copy by hand has the labels of its source.
  await driver.createVolume(copied);
  await ceph().run('rbd', ['--pool', driver.pool, 'rename', `volume-${copied.id}`, `volume-${randomUUID()}`]);
  t.deepEqual(await driver.listVolumes(), []);
});
