import assert from 'node:assert/strict';
import type { FoundSnapshot } from '../../../lib/drivers/snapshots.ts';
import { assertBlocks, assertFilled, fill, offsetsIn } from './data.ts';
import {
  type Case,
  type Subject,
  foundAs,
  foundAsSnapshot,
  invalidLabelNames,
  listed,
  oddLabels,
  refuse,
  removeAll,
  resized,
  snapshotOf,
  snapshotsOf,
  spec,
} from './subject.ts';

const needs = ['snapshots'] as const;

/** What drivers with the capability `snapshots` must do. */
export const snapshotCases: readonly Case[] = [
  {
    title: 'a snapshot exists and is listed with its volume, size and labels, whatever their names and values',
    needs,
    run: async ({ driver }) => {
      const volume = spec();
      const snapshot = snapshotOf(volume, oddLabels);
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      assert.equal(await snapshots.hasSnapshot(snapshot), false);
      await snapshots.createSnapshot(snapshot);
      assert.equal(await snapshots.hasSnapshot(snapshot), true);
      assert.deepEqual(await snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      await driver.setup();
      assert.deepEqual(await snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
      await removeAll(driver, [volume], [snapshot]);
    },
  },
  {
    title: 'a snapshot whose label has an invalid name is refused before anything is created',
    needs,
    run: async ({ driver }) => {
      const volume = spec();
      await driver.createVolume(volume);
      for (const name of invalidLabelNames) {
        const refused = snapshotsOf(driver).createSnapshot(snapshotOf(volume, { [name]: 'x' }));
        await assert.rejects(refused, { code: 'InvalidArgument' });
      }
      await removeAll(driver, [volume]);
    },
  },
  {
    title: 'labelSnapshot replaces the labels of a snapshot, and changes no data and no other labels',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [volume, restored] = [spec(), spec()];
      const [snapshot, other] = [snapshotOf(volume, { user: 'alice', old: 'x' }), snapshotOf(volume)];
      const snapshots = snapshotsOf(driver);
      const byId = (list: FoundSnapshot[]) => list.toSorted((one, next) => (one.id < next.id ? -1 : 1));
      await driver.createVolume(volume);
      await fill(subject, volume, 'data');
      for (const one of [snapshot, other]) await snapshots.createSnapshot(one);
      for (const labels of [oddLabels, { user: 'bob' }, { user: 'bob' }]) {
        const later = { ...snapshot, labels };
        await snapshots.labelSnapshot(later);
        assert.equal(await snapshots.hasSnapshot(later), true);
        assert.deepEqual(byId(await snapshots.listSnapshots()), byId([foundAsSnapshot(later), foundAsSnapshot(other)]));
      }
      assert.deepEqual(await listed(driver, volume.id), foundAs(volume));
      await snapshots.createFromSnapshot(restored, snapshot);
      await assertFilled(subject, restored, 'data');
      await removeAll(driver, [volume, restored], [snapshot, other]);
    },
  },
  {
    title: 'labelSnapshot with an invalid label changes nothing; of a missing snapshot it is SnapshotMissing',
    needs,
    run: async ({ driver }) => {
      const volume = spec();
      const [snapshot, absent] = [snapshotOf(volume), snapshotOf(volume)];
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      await snapshots.createSnapshot(snapshot);
      for (const name of invalidLabelNames) {
        const refused = snapshots.labelSnapshot({ ...snapshot, labels: { [name]: 'x' } });
        await assert.rejects(refused, { code: 'InvalidArgument' });
      }
      for (const one of [absent, snapshotOf(spec())]) {
        await assert.rejects(snapshots.labelSnapshot(one), { code: 'SnapshotMissing' });
      }
      assert.deepEqual(await snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
      await removeAll(driver, [volume], [snapshot]);
    },
  },
  {
    title: 'a snapshot of a missing volume is StorageMissing and leaves nothing',
    needs,
    run: async ({ driver }) => {
      const snapshot = snapshotOf(spec());
      await assert.rejects(snapshotsOf(driver).createSnapshot(snapshot), { code: 'StorageMissing' });
      assert.equal(await snapshotsOf(driver).hasSnapshot(snapshot), false);
      await removeAll(driver);
    },
  },
  {
    title: 'a deleted snapshot is gone; deleting it again, or one that never existed, succeeds',
    needs,
    run: async ({ driver }) => {
      const volume = spec();
      const snapshot = snapshotOf(volume);
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      await snapshots.createSnapshot(snapshot);
      await snapshots.deleteSnapshot(snapshot);
      assert.equal(await snapshots.hasSnapshot(snapshot), false);
      assert.deepEqual(await snapshots.listSnapshots(), []);
      await snapshots.deleteSnapshot(snapshot);
      await snapshots.deleteSnapshot(snapshotOf(volume));
      await snapshots.deleteSnapshot(snapshotOf(spec()));
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      await removeAll(driver, [volume]);
    },
  },
  {
    title: 'a snapshot has the data of its moment, also when its create is repeated later',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [volume, restored] = [spec(), spec()];
      const snapshot = snapshotOf(volume);
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      await fill(subject, volume, 'before');
      await snapshots.createSnapshot(snapshot);
      await fill(subject, volume, 'after');
      await snapshots.createSnapshot(snapshot);
      assert.deepEqual(await snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
      await snapshots.createFromSnapshot(restored, snapshot);
      await assertFilled(subject, restored, 'before');
      await assertFilled(subject, volume, 'after');
      await removeAll(driver, [volume, restored], [snapshot]);
    },
  },
  {
    title: 'a volume from a snapshot has its own labels, and neither changes the other or their volume',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const volume = spec();
      const [first, second] = [spec({ labels: oddLabels }), spec({ labels: { user: 'other' } })];
      const snapshot = snapshotOf(volume);
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      await fill(subject, volume, 'origin');
      await snapshots.createSnapshot(snapshot);
      assert.equal((await snapshots.createFromSnapshot(first, snapshot)).isNew, true);
      assert.equal(await driver.hasVolume(first), true);
      await fill(subject, first, 'changed');
      await snapshots.createFromSnapshot(second, snapshot);
      await driver.ensureVolume(second);
      await assertFilled(subject, volume, 'origin');
      await assertFilled(subject, first, 'changed');
      await assertFilled(subject, second, 'origin');
      for (const one of [volume, first, second]) assert.deepEqual(await listed(driver, one.id), foundAs(one));
      await removeAll(driver, [volume, first, second], [snapshot]);
    },
  },
  {
    title: 'a volume that is larger than its snapshot has zeros behind the data',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [volume, larger] = [spec(), spec({ size: 1 })];
      const snapshot = snapshotOf(volume);
      await driver.createVolume(volume);
      await fill(subject, volume, 'data');
      await snapshotsOf(driver).createSnapshot(snapshot);
      await snapshotsOf(driver).createFromSnapshot(larger, snapshot);
      assert.deepEqual(await listed(driver, larger.id), foundAs(larger));
      await assertFilled(subject, larger, 'data', volume.sizeBytes);
      await removeAll(driver, [volume, larger], [snapshot]);
    },
  },
  {
    title: 'a repeated create from a snapshot keeps the volume and replaces its labels, also when the snapshot is gone',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [volume, restored] = [spec(), spec({ labels: { user: 'alice', old: 'x' } })];
      const snapshot = snapshotOf(volume);
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      await snapshots.createSnapshot(snapshot);
      assert.equal((await snapshots.createFromSnapshot(restored, snapshot)).isNew, true);
      await fill(subject, restored, 'since');
      const later = { ...restored, labels: { user: 'alice' } };
      assert.equal((await snapshots.createFromSnapshot(later, snapshot)).isNew, false);
      assert.deepEqual(await listed(driver, restored.id), foundAs(later));
      await snapshots.deleteSnapshot(snapshot);
      assert.equal((await snapshots.createFromSnapshot(restored, snapshot)).isNew, false);
      assert.deepEqual(await listed(driver, restored.id), foundAs(restored));
      await assertFilled(subject, restored, 'since');
      await removeAll(driver, [volume, restored]);
    },
  },
  {
    title: 'a create from a snapshot whose caller refuses the labels of the storage changes nothing',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [volume, existing] = [spec(), spec({ labels: { user: 'alice' } })];
      const snapshot = snapshotOf(volume);
      await driver.createVolume(volume);
      await snapshotsOf(driver).createSnapshot(snapshot);
      await driver.createVolume(existing, { accept: refuse });
      await fill(subject, existing, 'theirs');
      const other = { ...existing, labels: { user: 'bob' } };
      await assert.rejects(snapshotsOf(driver).createFromSnapshot(other, snapshot, { accept: refuse }), {
        message: 'refused: {"user":"alice"}',
      });
      assert.deepEqual(await listed(driver, existing.id), foundAs(existing));
      await assertFilled(subject, existing, 'theirs');
      await removeAll(driver, [volume, existing], [snapshot]);
    },
  },
  {
    title: 'a volume from a missing snapshot is SnapshotMissing and leaves nothing',
    needs,
    run: async ({ driver }) => {
      const [volume, restored] = [spec(), spec()];
      await driver.createVolume(volume);
      await assert.rejects(snapshotsOf(driver).createFromSnapshot(restored, snapshotOf(volume)), {
        code: 'SnapshotMissing',
      });
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      await removeAll(driver, [volume]);
    },
  },
  {
    title: 'volume, snapshot and a volume from it are deleted in every order, and the data of what is left stays',
    needs,
    run: async (subject) => {
      const orders = ['vsc', 'vcs', 'svc', 'scv', 'cvs', 'csv'];
      for (const order of orders) await deleteInOrder(subject, order);
    },
  },
  {
    title: 'a chain of volumes and snapshots loses no data when its beginning is deleted',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [first, second, third] = [spec(), spec(), spec()];
      const [one, two] = [snapshotOf(first), snapshotOf(second)];
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(first);
      await fill(subject, first, 'first');
      await snapshots.createSnapshot(one);
      await snapshots.createFromSnapshot(second, one);
      await snapshots.createSnapshot(two);
      await snapshots.createFromSnapshot(third, two);
      await snapshots.deleteSnapshot(one);
      await driver.deleteVolume(first);
      await assertFilled(subject, second, 'first');
      await snapshots.deleteSnapshot(two);
      await driver.deleteVolume(second);
      await assertFilled(subject, third, 'first');
      await removeAll(driver, [third]);
    },
  },
  {
    title: 'a snapshot keeps its size and data when its volume is extended',
    needs: ['snapshots', 'extend'],
    run: async (subject) => {
      const { driver } = subject;
      const [volume, restored] = [spec(), spec()];
      const snapshot = snapshotOf(volume);
      const larger = resized(volume, 1);
      await driver.createVolume(volume);
      await fill(subject, volume, 'small');
      await snapshotsOf(driver).createSnapshot(snapshot);
      await driver.extendVolume?.(larger);
      await fill(subject, larger, 'large');
      assert.deepEqual(await snapshotsOf(driver).listSnapshots(), [foundAsSnapshot(snapshot)]);
      await snapshotsOf(driver).createFromSnapshot(restored, snapshot);
      assert.deepEqual(await listed(driver, restored.id), foundAs(restored));
      await assertFilled(subject, restored, 'small');
      await assertBlocks(subject, larger, offsetsIn(0, larger.sizeBytes), 'large');
      await removeAll(driver, [larger, restored], [snapshot]);
    },
  },
];

/**
 * v: the volume, s: its snapshot, c: a volume from that. The volume alone may be VolumeBusy, and only while it has its snapshot:
 * then it is deleted last.
 */
async function deleteInOrder(subject: Subject, order: string): Promise<void> {
  const { driver } = subject;
  const [volume, copy, probe] = [spec(), spec(), spec()];
  const snapshot = snapshotOf(volume);
  const snapshots = snapshotsOf(driver);
  await driver.createVolume(volume);
  await fill(subject, volume, order);
  await snapshots.createSnapshot(snapshot);
  await snapshots.createFromSnapshot(copy, snapshot);
  await fill(subject, volume, 'later');
  const left = new Set(order);
  const remove = async (what: string) => {
    if (what === 's') await snapshots.deleteSnapshot(snapshot);
    else await driver.deleteVolume(what === 'v' ? volume : copy);
    left.delete(what);
  };
  for (const what of order) {
    if (what === 's' && left.size < order.length) {
      await snapshots.createFromSnapshot(probe, snapshot);
      await assertFilled(subject, probe, order);
      await driver.deleteVolume(probe);
    }
    await remove(what).catch((error: unknown) => {
      if (what !== 'v' || !left.has('s')) throw error;
      assert.ok(error instanceof Error && 'code' in error && error.code === 'VolumeBusy', String(error));
    });
    if (left.has('v')) await assertFilled(subject, volume, 'later');
    if (left.has('c')) await assertFilled(subject, copy, order);
    assert.equal(await snapshots.hasSnapshot(snapshot), left.has('s'));
  }
  if (left.has('v')) await remove('v');
  await removeAll(driver);
}
