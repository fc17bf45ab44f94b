import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import { type Kind, casesOf } from './conformance.ts';
import type { Case } from './subject.ts';
import { sample } from '../../support/sample.ts';

const sizeGiB = 2;
/** The space of such a driver. */
export const totalBytes = 2.5 * 2 ** 30;

const atOnce = 12;

/** The cases of a driver that takes many processes: in the gate some that are not long, chosen by the commit; with DRIVER_CASES=all each. */
export function someCasesOf(kind: Kind): readonly Case[] {
  const cases = casesOf(kind);
  if (process.env['DRIVER_CASES'] === 'all') return cases;
  return sample(
    `cases of ${kind.driver.name}`,
    cases.filter(({ isLong }) => !isLong),
    atOnce,
    ({ title }) => title,
  );
}

/** Registers a test for each case of the driver, with a new driver and directory each. */
export function testCases(
  name: string,
  make: (directory: string) => VolumeDriver,
  {
    cases = casesOf,
    subject = (_directory, driver) => ({ driver }),
  }: { cases?: typeof casesOf; subject?: (directory: string, driver: VolumeDriver) => Kind } = {},
): void {
  for (const { title, run } of cases(subject('', make('')))) {
    test(`${name}: ${title}`, async (t) => {
      const directory = await mkdtemp(path.join(tmpdir(), 'drivers-'));
      t.teardown(() => rm(directory, { recursive: true }));
      const driver = make(directory);
      await driver.setup();
      await t.notThrowsAsync(run({ ...subject(directory, driver), sizeGiB }));
      await driver.close();
    });
  }
}
