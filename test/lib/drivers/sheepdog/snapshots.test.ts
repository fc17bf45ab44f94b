import test from 'ava';
import type { SnapshotSpec } from '../../../../lib/drivers/snapshots.ts';
import type { VolumeSpec } from '../../../../lib/drivers/driver.ts';
import { FakeSheepdog } from '../../../support/fake-sheepdog.ts';
import { foundAs, spec } from '../conformance.ts';

const gib = 2 ** 30;

async function setUp() {
  const cluster = await FakeSheepdog.start(20 * gib);
  const driver = cluster.driver();
  const { snapshots } = driver;
  const volume = spec({ size: 1 });
  await driver.createVolume(volume);
  await cluster.write(nameOf(volume), 0, 'first');
  return { cluster, driver, snapshots, volume };
}

function nameOf({ id }: VolumeSpec): string {
  return `volume-${id}`;
}

function snapshotOf(volume: VolumeSpec): SnapshotSpec {
  return { id: spec().id, volume, labels: { user: 'alice', name: 'before & after' } };
}

function foundSnapshot({ id, volume, labels }: SnapshotSpec) {
  return { id, volumeId: volume.id, sizeBytes: volume.sizeBytes, labels };
}

test('a snapshot has the data of its moment, is listed with its labels, and is made once', async (t) => {
  const { cluster, snapshots, volume } = await setUp();
  const snapshot = snapshotOf(volume);
  t.false(await snapshots.hasSnapshot(snapshot));
  await snapshots.createSnapshot(snapshot);
  await cluster.write(nameOf(volume), 0, 'later');
  await snapshots.createSnapshot(snapshot);
  t.true(await snapshots.hasSnapshot(snapshot));
  t.deepEqual(await snapshots.listSnapshots(), [foundSnapshot(snapshot)]);
  t.is(await cluster.read(`${nameOf(volume)}:snap-${snapshot.id}`, 0, 5), 'first');
  t.is(await cluster.read(nameOf(volume), 0, 5), 'later');
  const missing = snapshotOf(spec());
  await t.throwsAsync(snapshots.createSnapshot(missing), { code: 'StorageMissing' });
  await snapshots.deleteSnapshot(snapshot);
  await snapshots.deleteSnapshot(snapshot);
  await snapshots.deleteSnapshot(missing);
  t.deepEqual(await snapshots.listSnapshots(), []);
  t.is(await cluster.violations(), '');
});

test('a snapshot that was interrupted before its labels is completed', async (t) => {
  const { cluster, snapshots, volume } = await setUp();
  const snapshot = snapshotOf(volume);
  await cluster.set('refuse-setattr');
  await t.throwsAsync(snapshots.createSnapshot(snapshot), { code: 'SheepdogFailed' });
  await cluster.unset('refuse-setattr');
  t.false(await snapshots.hasSnapshot(snapshot));
  await snapshots.createSnapshot(snapshot);
  t.deepEqual(await snapshots.listSnapshots(), [foundSnapshot(snapshot)]);
});

for (const order of [
  ['volume', 'snapshot', 'copy'],
  ['volume', 'copy', 'snapshot'],
  ['snapshot', 'volume', 'copy'],
  ['snapshot', 'copy', 'volume'],
  ['copy', 'volume', 'snapshot'],
  ['copy', 'snapshot', 'volume'],
] as const) {
  test(`what remains keeps its data: deleted in the order ${order.join(', ')}`, async (t) => {
    const { cluster, driver, snapshots, volume } = await setUp();
    const [snapshot, copy] = [snapshotOf(volume), spec({ size: 2 })];
    await snapshots.createSnapshot(snapshot);
    await cluster.write(nameOf(volume), 0, 'later');
    t.true((await snapshots.createFromSnapshot(copy, snapshot)).isNew);
    t.false((await snapshots.createFromSnapshot(copy, snapshot)).isNew);
    const objects = {
      volume: { remove: () => driver.deleteVolume(volume), read: nameOf(volume), data: 'later' },
      snapshot: {
        remove: () => snapshots.deleteSnapshot(snapshot),
        read: `${nameOf(volume)}:snap-${snapshot.id}`,
        data: 'first',
      },
      copy: { remove: () => driver.deleteVolume(copy), read: nameOf(copy), data: 'first' },
    };
    for (const [index, name] of order.entries()) {
      await objects[name].remove();
      for (const left of order.slice(index + 1)) t.is(await cluster.read(objects[left].read, 0, 5), objects[left].data);
    }
    t.is(await cluster.dog('vdi', 'list', '-r'), '');
  });
}

test('a volume from a snapshot can be larger, and of a missing one is SnapshotMissing and leaves nothing', async (t) => {
  const { driver, snapshots, volume } = await setUp();
  const [snapshot, copy] = [snapshotOf(volume), spec({ size: 3 })];
  await t.throwsAsync(snapshots.createFromSnapshot(copy, snapshot), {
    code: 'SnapshotMissing',
    message: `snapshot ${snapshot.id} has no storage: sheepdog:${nameOf(volume)}:snap-${snapshot.id} does not exist`,
  });
  t.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
  await snapshots.createSnapshot(snapshot);
  await snapshots.createFromSnapshot(copy, snapshot);
  t.deepEqual(
    (await driver.listVolumes()).find(({ id }) => id === copy.id),
    foundAs(copy),
  );
  t.true(await driver.hasVolume(copy));
});

test('labels of a snapshot go with its volume, the snapshot stays', async (t) => {
  const { driver, snapshots, volume } = await setUp();
  const snapshot = snapshotOf(volume);
  await snapshots.createSnapshot(snapshot);
  await driver.deleteVolume(volume);
  t.true(await snapshots.hasSnapshot(snapshot));
  t.deepEqual(await snapshots.listSnapshots(), [{ ...foundSnapshot(snapshot), labels: {} }]);
  await t.notThrowsAsync(snapshots.createSnapshot(snapshot));
});

test('a clone has the data of its moment, leaves no snapshot, and outlives its source', async (t) => {
  const { cluster, driver, snapshots, volume } = await setUp();
  const copy = spec({ size: 2 });
  await t.throwsAsync(driver.cloneVolume(copy, spec()), { code: 'StorageMissing' });
  t.true((await driver.cloneVolume(copy, volume)).isNew);
  await cluster.write(nameOf(volume), 0, 'later');
  t.false((await driver.cloneVolume(copy, volume)).isNew);
  t.is(await cluster.read(nameOf(copy), 0, 5), 'first');
  t.deepEqual(await snapshots.listSnapshots(), []);
  await driver.deleteVolume(volume);
  t.is(await cluster.read(nameOf(copy), 0, 5), 'first');
  t.deepEqual(await driver.listVolumes(), [foundAs(copy)]);
});

test('an interrupted clone is made anew, or removed with its snapshot of the source', async (t) => {
  const { cluster, driver, volume } = await setUp();
  const [copy, dropped] = [spec({ size: 2 }), spec({ size: 1 })];
  await cluster.set('refuse-setattr');
  await t.throwsAsync(driver.cloneVolume(copy, volume), { code: 'SheepdogFailed' });
  await cluster.unset('refuse-setattr');
  t.false(await driver.hasVolume(copy));
  await cluster.write(nameOf(volume), 0, 'later');
  await driver.cloneVolume(copy, volume);
  t.is(await cluster.read(nameOf(copy), 0, 5), 'later');
  await cluster.set('refuse-delete');
  await t.throwsAsync(driver.cloneVolume(dropped, volume), { code: 'SheepdogFailed' });
  await cluster.unset('refuse-delete');
  await driver.deleteVolume(dropped, { unused: true });
  t.notRegex(await cluster.dog('vdi', 'list', '-r'), new RegExp(dropped.id));
  t.is(await cluster.violations(), '');
});
