import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type VolumeDriver, type VolumeSpec, sizeInBytes } from '../../../lib/drivers/driver.ts';

/** A driver that is set up and empty, with room for `roomGiB` and a little, and not for twice as much. */
export interface Subject {
  driver: VolumeDriver;
  roomGiB: number;
}

export interface Case {
  title: string;
  run: (subject: Subject) => Promise<void>;
}

export function spec(fields: Partial<VolumeSpec> = {}): VolumeSpec {
  const size = fields.size ?? 0;
  return { id: randomUUID(), size, sizeBytes: sizeInBytes(size), userId: 'alice', projectId: 'web', ...fields };
}

/** What every driver must do. Plain assertions, so that the same list runs where there is no test runner. */
export const cases: readonly Case[] = [
  {
    title: 'a created volume is there, listed with its owner, size and address',
    run: async ({ driver }) => {
      const volume = spec({ userId: 'ällice, & co', projectId: 'a/b!c', shelfId: 12, bladeId: 3 });
      assert.equal(await driver.hasVolume(volume), false);
      await driver.createVolume(volume);
      assert.equal(await driver.hasVolume(volume), true);
      assert.match(driver.localPath(volume), new RegExp(volume.id));
      const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
      assert.deepEqual(found, volume);
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'creating it again keeps it',
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
    title: 'creating it again with another address changes its labels',
    run: async ({ driver }) => {
      const volume = spec({ shelfId: 1, bladeId: 1 });
      await driver.createVolume(volume);
      await driver.createVolume({ ...volume, shelfId: 2 });
      const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
      assert.equal(found?.shelfId, 2);
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a volume that is there can be ensured, one that is not is StorageMissing',
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
    title: 'a deleted volume is gone, and deleting it again or one that never was is success',
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
    title: 'what does not fit is NoSpace, leaves nothing, and the room comes back with a delete',
    run: async ({ driver, roomGiB }) => {
      const first = spec({ size: roomGiB });
      const second = spec({ size: roomGiB });
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
    title: 'of two creates at once for the last room one succeeds',
    run: async ({ driver, roomGiB }) => {
      const both = [spec({ size: roomGiB }), spec({ size: roomGiB })];
      const ended = await Promise.allSettled(both.map((volume) => driver.createVolume(volume)));
      assert.deepEqual(ended.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
      for (const volume of both) await driver.deleteVolume(volume);
    },
  },
  {
    title: 'stats say what is left',
    run: async ({ driver, roomGiB }) => {
      const { totalBytes, freeBytes } = await driver.stats();
      assert.ok(freeBytes >= roomGiB * 2 ** 30 && freeBytes < 2 * roomGiB * 2 ** 30);
      assert.ok(totalBytes >= freeBytes);
    },
  },
  {
    title: 'many volumes are created side by side, each with its own labels',
    run: async ({ driver }) => {
      const volumes = Array.from({ length: 8 }, (_, bladeId) => spec({ shelfId: 1, bladeId }));
      await Promise.all(volumes.map((volume) => driver.createVolume(volume)));
      const found = await driver.listVolumes();
      assert.deepEqual(
        new Set(found.map(({ id, bladeId }) => `${id} ${bladeId}`)),
        new Set(volumes.map(({ id, bladeId }) => `${id} ${bladeId}`)),
      );
      await Promise.all(volumes.map((volume) => driver.deleteVolume(volume)));
      assert.deepEqual(await driver.listVolumes(), []);
    },
  },
  {
    title: 'it may be set up again and closed twice',
    run: async ({ driver }) => {
      const volume = spec();
      await driver.createVolume(volume);
      await driver.setup();
      assert.equal(await driver.hasVolume(volume), true);
      await driver.deleteVolume(volume);
      await driver.close();
      await driver.close();
    },
  },
];
