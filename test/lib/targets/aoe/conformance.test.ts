import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import { casesOf } from '../conformance.ts';
import { Pair, roundTrip } from '../pair.ts';
import { AoeExports } from './exports.ts';
import { Place, cannotExport } from './place.ts';

/** Real vblades on loopback, with volumes of the driver file, and hosts that are Ethernet addresses there. */

const real = cannotExport === undefined ? test : test.skip;

async function pairFor(t: ExecutionContext): Promise<Pair> {
  const place = await Place.create();
  const exports = new AoeExports(place);
  t.teardown(() => exports.remove());
  const driver = new FileDriver({ directory: join(place.directory, 'pool') });
  await driver.setup();
  return new Pair(driver, exports);
}

for (const { title, run } of casesOf(new Place('').target())) {
  real(`on real vblades: ${title}`, async (t) => {
    await t.notThrowsAsync(run(await pairFor(t)));
  });
}

real('on real vblades: a volume of the driver file is exported, grown, exported anew and deleted', async (t) => {
  await t.notThrowsAsync(roundTrip(await pairFor(t), { isHeld: true }));
});
