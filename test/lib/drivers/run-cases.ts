import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import { casesOf } from './conformance.ts';
import type { Case, Subject } from './subject.ts';
import { sample } from '../../support/sample.ts';

const sizeGiB = 2;
/** The space of such a driver. */
export const totalBytes = 2.5 * 2 ** 30;

const atOnce = 12;

/** The cases of a driver that takes many processes: in the gate some, chosen by the commit, else with DRIVER_CASES=all. */
export function someCasesOf(driver: VolumeDriver): readonly Case[] {
  const cases = casesOf(driver);
  if (process.env['DRIVER_CASES'] === 'all') return cases;
  return sample(`cases of ${driver.name}`, cases, atOnce, ({ title }) => title);
}

/** Registers a test for each case of the driver, with a new driver and directory each. `write` and `read` reach its data. */
export function testCases(
  name: string,
  make: (directory: string) => VolumeDriver,
  { cases = casesOf, ...data }: Pick<Subject, 'write' | 'read'> & { cases?: typeof casesOf } = {},
): void {
  for (const { title, run } of cases(make(''))) {
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
