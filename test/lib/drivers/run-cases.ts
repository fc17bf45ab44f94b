import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import { casesOf } from './conformance.ts';
import type { Subject } from './subject.ts';

const sizeGiB = 2;
/** The space of such a driver. */
export const totalBytes = 2.5 * 2 ** 30;

/** Registers a test for each case of the driver, with a new driver and directory each. `data`: how the cases reach its data. */
export function testCases(
  name: string,
  make: (directory: string) => VolumeDriver,
  data: Pick<Subject, 'write' | 'read'> = {},
): void {
  for (const { title, run } of casesOf(make(''))) {
    test(`${name}: ${title}`, async (t) => {
      const directory = await mkdtemp(path.join(tmpdir(), 'drivers-'));
      t.teardown(() => rm(directory, { recursive: true }));
      const driver = make(directory);
      await driver.setup();
      await t.notThrowsAsync(run({ driver, sizeGiB, ...data }));
      await driver.close();
    });
  }
}
