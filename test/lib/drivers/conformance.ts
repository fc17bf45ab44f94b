import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import type { DriverStats, VolumeDriver } from '../../../lib/drivers/driver.ts';
import { cloneCases } from './clone-cases.ts';
import { extendCases } from './extend-cases.ts';
import { groupSnapshotCases } from './group-snapshot-cases.ts';
import { snapshotCases } from './snapshot-cases.ts';
import { snapshotSpaceCases } from './snapshot-space-cases.ts';
import { crashCases } from './crash-cases.ts';
import { storageCases } from './storage-cases.ts';
import {
  type Case,
  type Subject,
  assertKeptOrRefused,
  byId,
  foundAs,
  invalidLabelNames,
  listed,
  longNames,
  oddLabels,
  refuse,
  removeAll,
  spec,
} from './subject.ts';

export { foundAs, spec } from './subject.ts';

/** What cases are chosen by: a driver of its kind, and what else can be done. */
export type Kind = Omit<Subject, 'sizeGiB'>;

/** Returns what the driver must do by its capabilities. Plain assertions, so that the list runs where there is no test runner. */
export function casesOf(kind: Kind): readonly Case[] {
  const own = [...snapshotCases, ...groupSnapshotCases, ...snapshotSpaceCases, ...cloneCases, ...extendCases];
  const { capabilities } = kind.driver;
  return [...commonCases, ...own, ...storageCases, ...crashCases, lastCase].filter(
    ({ needs = [], uses = [] }) =>
      needs.every((capability) => capabilities[capability]) && uses.every((ability) => kind[ability] !== undefined),
  );
}

const commonCases: readonly Case[] = [
  {
    title: 'a declared capability has its methods, and another has none',
    run: async ({ driver }) => {
      const { snapshots, groupSnapshots, clones, extend } = driver.capabilities;
      assert.deepEqual(
        {
          snapshots: driver.snapshots !== undefined,
          groupSnapshots: driver.snapshots?.createSnapshots !== undefined,
          clones: driver.cloneVolume !== undefined,
          extend: driver.extendVolume !== undefined,
        },
        { snapshots, groupSnapshots, clones, extend },
      );
    },
  },
  {
    title: 'a created volume exists and is listed with its size and labels, whatever their names and values',
    run: async ({ driver }) => {
      const volume = spec({ labels: oddLabels });
      assert.equal(await driver.hasVolume(volume), false);
      await driver.createVolume(volume);
      assert.equal(await driver.hasVolume(volume), true);
      assert.match(driver.localPath(volume), new RegExp(volume.id));
      assert.deepEqual(await listed(driver, volume.id), foundAs(volume));
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a label with an invalid name is refused before anything is created',
    run: async ({ driver }) => {
      for (const name of invalidLabelNames) {
        await assert.rejects(driver.createVolume(spec({ labels: { [name]: 'x' } })), { code: 'InvalidArgument' });
      }
      assert.deepEqual(await driver.listVolumes(), []);
    },
  },
  {
    title: 'a name of 255 characters is kept, or refused as InvalidArgument with nothing left',
    run: async ({ driver }) => {
      for (const name of longNames) {
        const volume = spec({ labels: { ...spec().labels, name } });
        await assertKeptOrRefused(driver, volume, () => driver.createVolume(volume));
        const named = spec({ labels: { name: 'data' } });
        await driver.createVolume(named);
        const renamed = { ...named, labels: volume.labels };
        const isRefused = await driver.labelVolume(renamed).then(
          () => false,
          ({ code }: { code?: string }) => code === 'InvalidArgument',
        );
        assert.deepEqual(await listed(driver, named.id), foundAs(isRefused ? named : renamed));
        await removeAll(driver, [volume, named]);
      }
    },
  },
  {
    title: 'a repeated create keeps the volume',
    run: async ({ driver }) => {
      const volume = spec();
      assert.equal((await driver.createVolume(volume)).isNew, true);
      assert.equal((await driver.createVolume(volume)).isNew, false);
      assert.equal(await driver.hasVolume(volume), true);
      assert.equal((await driver.listVolumes()).filter(({ id }) => id === volume.id).length, 1);
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a repeated create with other labels replaces all of them',
    run: async ({ driver }) => {
      const volume = spec({ labels: { address: 'e1.1', user: 'alice', old: 'x' } });
      const later = { ...volume, labels: { address: 'e2.1', user: 'alice' } };
      await driver.createVolume(volume);
      await driver.createVolume(later);
      assert.deepEqual(await listed(driver, volume.id), foundAs(later));
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a repeated create whose caller refuses the labels of the storage changes nothing',
    run: async ({ driver }) => {
      const volume = spec({ labels: { user: 'alice' } });
      await driver.createVolume(volume, { accept: refuse });
      const other = { ...volume, labels: { user: 'bob' } };
      await assert.rejects(driver.createVolume(other, { accept: refuse }), { message: 'refused: {"user":"alice"}' });
      assert.deepEqual(await listed(driver, volume.id), foundAs(volume));
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'ensure succeeds for an existing volume and throws StorageMissing for a missing one',
    run: async ({ driver }) => {
      const volume = spec();
      await assert.rejects(driver.ensureVolume(volume), { code: 'StorageMissing' });
      await driver.createVolume(volume);
      await driver.ensureVolume(volume);
      await driver.deleteVolume(volume);
      await assert.rejects(driver.ensureVolume(volume), { code: 'StorageMissing' });
    },
  },
  {
    title: 'a deleted volume is gone; deleting it again, or one that never existed, succeeds',
    run: async ({ driver }) => {
      const volume = spec();
      await driver.createVolume(volume);
      await driver.deleteVolume(volume);
      assert.equal(await driver.hasVolume(volume), false);
      assert.deepEqual(await driver.listVolumes(), []);
      await driver.deleteVolume(volume);
      await driver.deleteVolume(spec());
    },
  },
  {
    title: 'a volume that exists can be labelled, one that does not is StorageMissing and is not created',
    run: async ({ driver }) => {
      const volume = spec({ labels: { address: 'e1.1', old: 'x' } });
      await assert.rejects(driver.labelVolume(volume), { code: 'StorageMissing' });
      assert.deepEqual(await driver.listVolumes(), []);
      await driver.createVolume(volume);
      const later = { ...volume, labels: { address: 'e2.1' } };
      await driver.labelVolume(later);
      assert.deepEqual(await listed(driver, volume.id), foundAs(later));
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a volume that does not fit is NoSpace and leaves nothing; a delete frees its space',
    run: async ({ driver, sizeGiB }) => {
      const first = spec({ size: sizeGiB });
      const second = spec({ size: sizeGiB });
      await driver.createVolume(first);
      await assert.rejects(driver.createVolume(second), { code: 'NoSpace' });
      assert.equal(await driver.hasVolume(second), false);
      assert.deepEqual(
        (await driver.listVolumes()).map(({ id }) => id),
        [first.id],
      );
      await driver.deleteVolume(first);
      await driver.createVolume(second);
      await driver.deleteVolume(second);
    },
  },
  {
    title: 'of two concurrent creates for the last space one succeeds',
    run: async ({ driver, sizeGiB }) => {
      const both = [spec({ size: sizeGiB }), spec({ size: sizeGiB })];
      const ended = await Promise.allSettled(both.map((volume) => driver.createVolume(volume)));
      assert.deepEqual(ended.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
      for (const volume of both) await driver.deleteVolume(volume);
    },
  },
  {
    title: 'stats give the free space and the bytes of its volumes, and their sum is the capacity for volumes',
    run: async ({ driver, sizeGiB }) => {
      const before = await driver.stats();
      assert.ok(before.freeBytes >= sizeGiB * 2 ** 30 && before.freeBytes < 2 * sizeGiB * 2 ** 30);
      assert.ok(before.totalBytes >= before.freeBytes);
      assert.equal(before.acceptsCreates, true);
      assert.equal(before.problem, undefined);
      const volume = spec({ size: 1 });
      await driver.createVolume(volume);
      const after = await statsOf(driver, before.volumeBytes + volume.sizeBytes);
      // A file system gives and takes a little of its own.
      const changed = before.freeBytes + before.volumeBytes - (after.freeBytes + after.volumeBytes);
      assert.ok(Math.abs(changed) < 2 ** 26, String(changed));
      await driver.deleteVolume(volume);
      await statsOf(driver, before.volumeBytes);
    },
  },
  {
    title: 'many volumes are created concurrently, each with its own labels',
    isAboutMany: true,
    run: async ({ driver, many }) => {
      const size = many && { sizeBytes: 4 * 2 ** 20 };
      const labels = (slot: number) => ({ labels: { address: `e1.${slot}` } });
      const volumes = Array.from({ length: many ?? 8 }, (_, slot) => spec({ ...labels(slot), ...size }));
      await Promise.all(volumes.map((volume) => driver.createVolume(volume)));
      assert.deepEqual(byId(await driver.listVolumes()), byId(volumes.map(foundAs)));
      await Promise.all(volumes.map((volume) => driver.deleteVolume(volume)));
      assert.deepEqual(await driver.listVolumes(), []);
    },
  },
];

/** Closes the driver. */
const lastCase: Case = {
  title: 'setup can be repeated, and close can be called twice',
  run: async ({ driver }) => {
    const volume = spec();
    await driver.createVolume(volume);
    await driver.setup();
    assert.equal(await driver.hasVolume(volume), true);
    await driver.deleteVolume(volume);
    await driver.close();
    await driver.close();
  },
};

/** Statistics may be a second old. */
async function statsOf(driver: VolumeDriver, volumeBytes: number): Promise<DriverStats> {
  let stats = await driver.stats();
  await until(async () => {
    stats = await driver.stats();
    return stats.volumeBytes === volumeBytes;
  }, `volumes have ${volumeBytes} bytes in all`);
  return stats;
}
