import assert from 'node:assert/strict';
import type { CopyOptions } from '../../../lib/drivers/snapshots.ts';
import type { CreatedVolume, VolumeDriver, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { assertFilled, fill } from './data.ts';
import {
  type Case,
  assertKeptOrRefused,
  byId,
  longNames,
  foundAs,
  listed,
  oddLabels,
  refuse,
  removeAll,
  spec,
} from './subject.ts';

const needs = ['clones'] as const;

/** What drivers with the capability `clones` must do. */
export const cloneCases: readonly Case[] = [
  {
    title: 'a clone has the data of its source and its own labels, and neither changes the other',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [source, copy] = [spec(), spec({ labels: oddLabels })];
      await driver.createVolume(source);
      await fill(subject, source, 'source');
      assert.equal((await clone(driver, copy, source)).isNew, true);
      assert.equal(await driver.hasVolume(copy), true);
      await driver.ensureVolume(copy);
      assert.deepEqual(byId(await driver.listVolumes()), byId([source, copy].map(foundAs)));
      await assertFilled(subject, copy, 'source');
      await fill(subject, source, 'later');
      await assertFilled(subject, copy, 'source');
      await fill(subject, copy, 'own');
      await assertFilled(subject, source, 'later');
      await removeAll(driver, [source, copy]);
    },
  },
  {
    title: 'volumes with names of 255 characters are cloned and deleted, or refused with nothing left',
    needs,
    run: async ({ driver }) => {
      for (const name of longNames) {
        const labels = { ...spec().labels, name };
        const [source, copy, second] = [spec({ labels }), spec({ labels }), spec({ labels })];
        await assertKeptOrRefused(driver, source, () => driver.createVolume(source));
        if (!(await driver.hasVolume(source))) await driver.createVolume({ ...source, labels: {} });
        await assertKeptOrRefused(driver, copy, () => clone(driver, copy, source));
        if (await driver.hasVolume(copy)) await assertKeptOrRefused(driver, second, () => clone(driver, second, copy));
        await removeAll(driver, [source, copy, second]);
      }
    },
  },
  {
    title: 'a clone that is larger than its source has zeros behind the data',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [source, larger] = [spec(), spec({ size: 1 })];
      await driver.createVolume(source);
      await fill(subject, source, 'data');
      await clone(driver, larger, source);
      assert.deepEqual(await listed(driver, larger.id), foundAs(larger));
      await assertFilled(subject, larger, 'data', source.sizeBytes);
      await removeAll(driver, [source, larger]);
    },
  },
  {
    title: 'a repeated clone keeps the volume and replaces its labels, also when its source is gone',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [source, copy] = [spec(), spec({ labels: { user: 'alice', old: 'x' } })];
      await driver.createVolume(source);
      await fill(subject, source, 'source');
      await clone(driver, copy, source);
      await fill(subject, copy, 'since');
      const later = { ...copy, labels: { user: 'alice' } };
      assert.equal((await clone(driver, later, source)).isNew, false);
      assert.deepEqual(await listed(driver, copy.id), foundAs(later));
      await driver.deleteVolume(source);
      assert.equal((await clone(driver, copy, source)).isNew, false);
      assert.deepEqual(await driver.listVolumes(), [foundAs(copy)]);
      await assertFilled(subject, copy, 'since');
      await removeAll(driver, [copy]);
    },
  },
  {
    title: 'a clone whose caller refuses the labels of the storage changes nothing',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const [source, existing] = [spec(), spec({ labels: { user: 'alice' } })];
      await driver.createVolume(source);
      await driver.createVolume(existing);
      await fill(subject, existing, 'theirs');
      const other = { ...existing, labels: { user: 'bob' } };
      const message = 'refused: {"user":"alice"}';
      await assert.rejects(clone(driver, other, source, { accept: refuse }), { message });
      assert.deepEqual(await listed(driver, existing.id), foundAs(existing));
      await assertFilled(subject, existing, 'theirs');
      await removeAll(driver, [source, existing]);
    },
  },
  {
    title: 'a clone of a missing volume is StorageMissing and leaves nothing',
    needs,
    run: async ({ driver }) => {
      await assert.rejects(clone(driver, spec(), spec()), { code: 'StorageMissing' });
      await removeAll(driver);
    },
  },
  {
    title: 'a clone that does not fit is NoSpace and leaves nothing',
    needs,
    run: async ({ driver, sizeGiB }) => {
      const [source, copy] = [spec({ size: sizeGiB }), spec({ size: sizeGiB })];
      await driver.createVolume(source);
      await assert.rejects(clone(driver, copy, source), { code: 'NoSpace' });
      assert.equal(await driver.hasVolume(copy), false);
      assert.deepEqual(await driver.listVolumes(), [foundAs(source)]);
      await removeAll(driver, [source]);
    },
  },
  {
    title: 'a chain of clones loses no data when its beginning or its middle is deleted',
    needs,
    run: async (subject) => {
      const { driver } = subject;
      const orders = [
        [0, 1, 2],
        [1, 2, 0],
      ];
      for (const order of orders) {
        const [first, second, third] = [spec(), spec(), spec()];
        const chain = [first, second, third];
        await driver.createVolume(first);
        await fill(subject, first, 'first');
        await clone(driver, second, first);
        await clone(driver, third, second);
        const left = new Set(chain);
        for (const volume of order.flatMap((index) => chain[index] ?? [])) {
          await driver.deleteVolume(volume);
          left.delete(volume);
          for (const one of left) await assertFilled(subject, one, 'first');
        }
        await removeAll(driver);
      }
    },
  },
];

function clone(
  driver: VolumeDriver,
  volume: VolumeSpec,
  source: VolumeSpec,
  options?: CopyOptions,
): Promise<CreatedVolume> {
  if (!driver.cloneVolume) throw new Error('a driver with the capability has its method');
  return driver.cloneVolume(volume, source, options);
}
