import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { VolumeDriver } from '../../../lib/drivers/driver.ts';
import type { drivers } from '../../../lib/drivers/registry.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { casesOf } from './conformance.ts';
import { readBlock, writeBlock } from './data.ts';
import type { Subject } from './subject.ts';

interface Factory {
  make: (directory: string) => VolumeDriver;
  /** How the cases reach its data. */
  data?: Pick<Subject, 'write' | 'read'>;
}

const sizeGiB = 2;
const totalBytes = 2.5 * 2 ** 30;

/** Every registered driver is here; those that need a kernel of their own run the cases on a lab machine. */
const factories: Record<(typeof drivers)[number]['name'] | 'faulty', Factory | 'test/lab/lvm-cases.ts'> = {
  lvm: 'test/lab/lvm-cases.ts',
  fake: { make: () => new FakeDriver({ totalBytes }) },
  file: {
    make: (directory) => new FileDriver({ directory, poolBytes: totalBytes }),
    data: { write: writeBlock, read: readBlock },
  },
  faulty: { make: () => new FaultyDriver(new FakeDriver({ totalBytes })) },
};

for (const [name, factory] of Object.entries(factories)) {
  if (typeof factory === 'string') continue;
  const { make, data } = factory;
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
