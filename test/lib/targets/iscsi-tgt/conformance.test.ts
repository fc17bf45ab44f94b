import test from 'ava';
import { cases } from '../conformance.ts';
import { Place } from './place.ts';
import { standInLogin, useStandIns } from './stand-in.ts';

useStandIns();

for (const { title, run } of cases) {
  test(`on a stand-in of tgtd: ${title}`, async (t) => {
    const place = await Place.create(standInLogin);
    t.teardown(() => place.remove());
    await run(place);
    t.pass();
  });
}
