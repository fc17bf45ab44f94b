import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import { type Case, byId, foundAs, foundAsSnapshot, removeAll, snapshotOf, snapshotsOf, spec } from './subject.ts';

const needs = ['snapshots'] as const;
/** What storage takes for itself, and rounds by. */
const slackBytes = 2 ** 26;

/** What drivers with the capability `snapshots` must do about space and with many snapshots. */
export const snapshotSpaceCases: readonly Case[] = [
  {
    title: 'a volume from a snapshot that does not fit is NoSpace and leaves nothing; a delete frees its space',
    needs,
    run: async ({ driver, sizeGiB }) => {
      const [volume, filling, restored] = [spec(), spec({ size: sizeGiB }), spec({ size: sizeGiB })];
      const snapshot = snapshotOf(volume);
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      await snapshots.createSnapshot(snapshot);
      await driver.createVolume(filling);
      await assert.rejects(snapshots.createFromSnapshot(restored, snapshot), { code: 'NoSpace' });
      assert.equal(await driver.hasVolume(restored), false);
      assert.deepEqual(byId(await driver.listVolumes()), byId([volume, filling].map(foundAs)));
      await driver.deleteVolume(filling);
      await snapshots.createFromSnapshot(restored, snapshot);
      await removeAll(driver, [volume, restored], [snapshot]);
    },
  },
  {
    title: 'a snapshot takes at most the space of its volume from the free space, and its delete returns it',
    needs,
    run: async ({ driver }) => {
      const volume = spec();
      const snapshot = snapshotOf(volume);
      await driver.createVolume(volume);
      // Statistics may be a second old.
      const before = await until(async () => {
        const stats = await driver.stats();
        return stats.volumeBytes === volume.sizeBytes && stats;
      }, 'the volume is counted');
      await snapshotsOf(driver).createSnapshot(snapshot);
      await until(async () => {
        const { freeBytes, volumeBytes } = await driver.stats();
        const taken = before.freeBytes - freeBytes;
        return volumeBytes === volume.sizeBytes && taken > -slackBytes && taken < volume.sizeBytes + slackBytes;
      }, 'the snapshot is counted in the free space and not as a volume');
      await snapshotsOf(driver).deleteSnapshot(snapshot);
      await until(
        async () => Math.abs((await driver.stats()).freeBytes - before.freeBytes) < slackBytes,
        'the space of the snapshot is free',
      );
      await removeAll(driver, [volume]);
    },
  },
  {
    title: 'many snapshots of a volume are created and deleted concurrently, each with its own labels',
    needs,
    isAboutMany: true,
    run: async ({ driver, many }) => {
      const volume = spec(many && { sizeBytes: 4 * 2 ** 20 });
      const list = Array.from({ length: many ?? 20 }, (_, index) => snapshotOf(volume, { name: `snapshot ${index}` }));
      const snapshots = snapshotsOf(driver);
      await driver.createVolume(volume);
      await Promise.all(list.map((one) => snapshots.createSnapshot(one)));
      assert.deepEqual(byId(await snapshots.listSnapshots()), byId(list.map(foundAsSnapshot)));
      await Promise.all(list.map((one) => snapshots.deleteSnapshot(one)));
      await removeAll(driver, [volume]);
    },
  },
];
