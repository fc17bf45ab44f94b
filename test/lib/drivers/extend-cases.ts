import assert from 'node:assert/strict';
import type { VolumeDriver, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { assertBlocks, fill, offsetsIn } from './data.ts';
import { type Case, foundAs, listed, removeAll, resized, spec } from './subject.ts';

const needs = ['extend'] as const;

/** What drivers with the capability `extend` must do. */
export const extendCases: readonly Case[] = [
  {
    title: 'an extended volume has the new size and keeps its data, also when the extension is repeated',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const volume = spec();
      const larger = resized(volume, 1);
      await driver.createVolume(volume);
      await fill(subject, volume, 'small');
      assert.equal(await driver.hasVolume(larger), false);
      await extend(driver, larger);
      assert.equal(await driver.hasVolume(larger), true);
      assert.deepEqual(await listed(driver, volume.id), foundAs(larger));
      await assertBlocks(subject, larger, offsetsIn(0, volume.sizeBytes), 'small');
      await fill(subject, larger, 'large');
      await extend(driver, larger);
      assert.deepEqual(await listed(driver, volume.id), foundAs(larger));
      await assertBlocks(subject, larger, offsetsIn(0, larger.sizeBytes), 'large');
      await removeAll(driver, [larger]);
    },
  },
  {
    title: 'an extension to a smaller size never shrinks the volume',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const volume = spec({ size: 1 });
      await driver.createVolume(volume);
      await fill(subject, volume, 'data');
      await extend(driver, resized(volume, 0)).catch((error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error, String(error));
      });
      assert.deepEqual(await listed(driver, volume.id), foundAs(volume));
      await assertBlocks(subject, volume, offsetsIn(0, volume.sizeBytes), 'data');
      await removeAll(driver, [volume]);
    },
  },
  {
    title: 'an extension that does not fit is NoSpace and leaves size and data; it fits when space is free',
    needs,
    run: async (subject) => {
      const { driver, sizeGiB } = subject;
      const [volume, filling] = [spec(), spec({ size: sizeGiB })];
      const larger = resized(volume, sizeGiB);
      await driver.createVolume(volume);
      await fill(subject, volume, 'data');
      await driver.createVolume(filling);
      await assert.rejects(extend(driver, larger), { code: 'NoSpace' });
      assert.equal(await driver.hasVolume(larger), false);
      assert.deepEqual(await listed(driver, volume.id), foundAs(volume));
      await assertBlocks(subject, volume, offsetsIn(0, volume.sizeBytes), 'data');
      await driver.deleteVolume(filling);
      await extend(driver, larger);
      assert.deepEqual(await listed(driver, volume.id), foundAs(larger));
      await removeAll(driver, [larger]);
    },
  },
  {
    title: 'of two concurrent extensions for the last space one succeeds',
    needs,
    run: async ({ driver, sizeGiB }) => {
      const both = [spec(), spec()];
      for (const volume of both) await driver.createVolume(volume);
      const ended = await Promise.allSettled(both.map((volume) => extend(driver, resized(volume, sizeGiB))));
      assert.deepEqual(ended.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
      await removeAll(driver, both);
    },
  },
  {
    title: 'the extension of a missing volume is StorageMissing and creates nothing',
    needs,
    run: async ({ driver }) => {
      await assert.rejects(extend(driver, spec({ size: 1 })), { code: 'StorageMissing' });
      await removeAll(driver);
    },
  },
];

function extend(driver: VolumeDriver, volume: VolumeSpec): Promise<void> {
  if (!driver.extendVolume) throw new Error('a driver with the capability has its method');
  return driver.extendVolume(volume);
}
