import assert from 'node:assert/strict';
import { until } from '../../support/until.ts';
import { asError } from '../../../lib/errors.ts';
import { assertFilled, fill } from './data.ts';
import { type Case, byId, foundAs, listed, removeAll, spec } from './subject.ts';

/** What storage takes for itself of a volume without data, and rounds by. */
const slackBytes = 8 * 2 ** 20;
const filledBytes = 32 * 2 ** 20;

/** What drivers must do about storage that is in use, absent, shared or thin. */
export const storageCases: readonly Case[] = [
  {
    title: 'a volume that something has open is VolumeBusy, keeps data and labels, and is deleted after its release',
    uses: ['hold'],
    run: async (subject) => {
      const { driver, hold } = subject;
      const volume = spec();
      await driver.createVolume(volume);
      await fill(subject, volume, 'held');
      const release = await hold?.(volume);
      for (const attempt of ['first', 'second']) {
        await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy' }, attempt);
        assert.equal(await driver.hasVolume(volume), true);
        assert.deepEqual(await listed(driver, volume.id), foundAs(volume));
      }
      await release?.();
      await assertFilled(subject, volume, 'held');
      await removeAll(driver, [volume]);
    },
  },
  {
    title:
      'without the configured storage setup names it, no call takes a volume for deleted, and all are there after its return',
    uses: ['again', 'breakSetup'],
    run: async (subject) => {
      const { driver, again, breakSetup } = subject;
      const volume = spec();
      await driver.createVolume(volume);
      await fill(subject, volume, 'kept');
      const broken = await breakSetup?.();
      const next = again?.();
      assert.ok(broken && next);
      const { code, name, repair } = broken;
      await assert.rejects(next.setup(), (thrown: unknown) => {
        const error = asError(thrown);
        assert.equal(error.code, code);
        assert.ok(error.message.includes(name), error.message);
        return true;
      });
      // The one that was set up before: a daemon asks nothing of one whose setup has failed.
      const calls: [string, () => Promise<unknown> | undefined][] = [
        ['createVolume', () => driver.createVolume(spec())],
        ['ensureVolume', () => driver.ensureVolume(spec())],
        ['labelVolume', () => driver.labelVolume(volume)],
        ['deleteVolume', () => driver.deleteVolume(volume)],
        ['extendVolume', () => driver.extendVolume?.({ ...volume, sizeBytes: 2 ** 30 })],
        ['cloneVolume', () => driver.cloneVolume?.(spec(), volume)],
      ];
      for (const [verb, call] of calls) assert.ok(await isRefused(call()), `${verb} is refused`);
      // A list can be some seconds old.
      await until(() => isRefused(driver.listVolumes()), 'the list of volumes is refused');
      await until(() => isRefused(driver.snapshots?.listSnapshots()), 'that of snapshots is refused');
      await repair();
      await next.setup();
      for (const one of [next, driver]) assert.deepEqual(await one.listVolumes(), [foundAs(volume)]);
      await assertFilled(subject, volume, 'kept');
      await next.close();
      await removeAll(driver, [volume]);
    },
  },
  {
    title: 'another driver on the same storage finds its volumes, with the same identity where storage is shared',
    uses: ['again'],
    run: async ({ driver, again }) => {
      const volumes = [spec(), spec()];
      for (const volume of volumes) await driver.createVolume(volume);
      const next = again?.();
      assert.ok(next);
      await next.setup();
      assert.deepEqual(byId(await next.listVolumes()), byId(volumes.map(foundAs)));
      assert.equal(next.capabilities.shared, driver.capabilities.shared);
      if (driver.capabilities.shared !== '') {
        const [volume = spec()] = volumes;
        await next.deleteVolume(volume);
        assert.equal(await driver.hasVolume(volume), false);
      }
      await next.close();
      await removeAll(driver, volumes);
    },
  },
  {
    title: 'a thin volume takes no space before it is written to, then what was written, and none after its delete',
    needs: ['thin'],
    run: async (subject) => {
      const { driver, takenBytes } = subject;
      assert.ok(takenBytes, 'the test of a driver with thin volumes measures their space');
      const before = await takenBytes();
      const volume = spec({ size: 1 });
      await driver.createVolume(volume);
      assert.ok((await takenBytes()) - before < slackBytes, 'no space for a new volume');
      if (subject.write) {
        await subject.write(driver.localPath(volume), 0, Buffer.alloc(filledBytes, 'data'));
        const taken = (await takenBytes()) - before;
        assert.ok(Math.abs(taken - filledBytes) < slackBytes, `${taken} bytes`);
      }
      await removeAll(driver, [volume]);
      await until(async () => (await takenBytes()) - before < slackBytes, 'its space is free');
    },
  },
  {
    title: 'the space of a range that is discarded is free, and it reads as zeros',
    needs: ['discard'],
    run: async (subject) => {
      const { driver, takenBytes, discard, write, read } = subject;
      assert.ok(takenBytes && discard && write && read, 'the test of a driver with discard measures space');
      const before = await takenBytes();
      const volume = spec({ size: 1 });
      await driver.createVolume(volume);
      const path = driver.localPath(volume);
      await write(path, 0, Buffer.alloc(filledBytes, 'data'));
      await discard(path, 0, filledBytes / 2);
      await until(async () => {
        const taken = (await takenBytes()) - before;
        return Math.abs(taken - filledBytes / 2) < slackBytes;
      }, 'half of the space is free');
      assert.deepEqual(Buffer.from(await read(path, 0, 4096)), Buffer.alloc(4096));
      const kept = Buffer.from(await read(path, filledBytes - 4096, 4096));
      assert.deepEqual(kept, Buffer.alloc(filledBytes, 'data').subarray(filledBytes - 4096));
      await removeAll(driver, [volume]);
    },
  },
];

/** Also where the driver has no such verb. */
async function isRefused(work: Promise<unknown> | undefined): Promise<boolean> {
  return work === undefined
    ? true
    : work.then(
        () => false,
        () => true,
      );
}
