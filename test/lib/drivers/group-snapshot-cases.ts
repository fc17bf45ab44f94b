import assert from 'node:assert/strict';
import type { SnapshotSpec } from '../../../lib/drivers/snapshots.ts';
import { assertFilled, fill } from './data.ts';
import {
  type Case,
  type Subject,
  byId,
  foundAsSnapshot,
  oddLabels,
  removeAll,
  snapshotOf,
  snapshotsOf,
  spec,
} from './subject.ts';

const needs = ['snapshots', 'groupSnapshots'] as const;

function takeTogether({ driver }: Subject, snapshots: readonly SnapshotSpec[]): Promise<void> {
  const taken = snapshotsOf(driver).createSnapshots?.(snapshots);
  assert.ok(taken, 'a driver with the capability has its method');
  return taken;
}

/** What drivers with the capability `groupSnapshots` must do. */
export const groupSnapshotCases: readonly Case[] = [
  {
    title: 'snapshots of several volumes are listed with their labels, and have the data of their moment',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const volumes = [spec(), spec(), spec()];
      const restored = spec();
      const snapshots = volumes.map((volume) => snapshotOf(volume, oddLabels));
      for (const [index, volume] of volumes.entries()) {
        await driver.createVolume(volume);
        await fill(subject, volume, `before ${index}`);
      }
      await takeTogether(subject, snapshots);
      assert.deepEqual(byId(await snapshotsOf(driver).listSnapshots()), byId(snapshots.map(foundAsSnapshot)));
      for (const volume of volumes) await fill(subject, volume, 'after');
      for (const [index, snapshot] of snapshots.entries()) {
        assert.equal(await snapshotsOf(driver).hasSnapshot(snapshot), true);
        await snapshotsOf(driver).createFromSnapshot(restored, snapshot);
        await assertFilled(subject, restored, `before ${index}`);
        await driver.deleteVolume(restored);
      }
      for (const volume of volumes) await assertFilled(subject, volume, 'after');
      await removeAll(driver, volumes, snapshots);
    },
  },
  {
    title: 'snapshots of several volumes that are repeated are of the later moment, also where some exist',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const volumes = [spec(), spec()];
      const restored = spec();
      const snapshots = volumes.map((volume) => snapshotOf(volume));
      for (const volume of volumes) await driver.createVolume(volume);
      for (const volume of volumes) await fill(subject, volume, 'before');
      await snapshotsOf(driver).createSnapshot(snapshots[0] ?? snapshotOf(spec()));
      for (const mark of ['then', 'last']) {
        for (const volume of volumes) await fill(subject, volume, mark);
        await takeTogether(subject, snapshots);
      }
      for (const snapshot of snapshots) {
        await snapshotsOf(driver).createFromSnapshot(restored, snapshot);
        await assertFilled(subject, restored, 'last');
        await driver.deleteVolume(restored);
      }
      await removeAll(driver, volumes, snapshots);
    },
  },
  {
    title: 'snapshots of several volumes, one of which is missing, are StorageMissing; the others can be written',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [first, missing, last] = [spec(), spec(), spec()];
      const snapshots = [first, missing, last].map((volume) => snapshotOf(volume));
      for (const volume of [first, last]) await driver.createVolume(volume);
      await assert.rejects(takeTogether(subject, snapshots), { code: 'StorageMissing' });
      for (const volume of [first, last]) await fill(subject, volume, 'later');
      await removeAll(driver, [first, last], snapshots);
    },
  },
  {
    title: 'snapshots of several volumes for which there is no space in all are NoSpace; the volumes can be written',
    needs,
    run: async (subject) => {
      const { driver, sizeGiB } = subject;
      const volumes = [spec(), spec({ size: sizeGiB })];
      const snapshots = volumes.map((volume) => snapshotOf(volume));
      for (const volume of volumes) await driver.createVolume(volume);
      await assert.rejects(takeTogether(subject, snapshots), { code: 'NoSpace' });
      for (const volume of volumes) await fill(subject, volume, 'later');
      await removeAll(driver, volumes, snapshots);
    },
  },
];
