import test from 'ava';
import { join } from 'node:path';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import { casesOf } from '../conformance.ts';
import { Pair } from '../pair.ts';
import { Place } from './place.ts';
import { standInLogin, useStandIns } from './stand-in.ts';

useStandIns();

for (const { title, run } of casesOf({ authentication: 'chap' })) {
  test(`on a stand-in of tgtd, with volumes of the driver file: ${title}`, async (t) => {
    const place = await Place.create(standInLogin);
    t.teardown(() => place.remove());
    const driver = new FileDriver({ directory: join(place.directory, 'pool') });
    await driver.setup();
    await t.notThrowsAsync(run(new Pair(driver, place)));
  });
}
