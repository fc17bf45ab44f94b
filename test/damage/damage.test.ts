import test from 'ava';
import { sample } from '../support/sample.ts';
import { allCases, check, nameOf } from './check.ts';

/** A sample of what `npm run damage` does with every key. */
const chosen = sample('damaged keys', await allCases(), 24, nameOf);

for (const one of chosen) {
  test.serial(`healed by two reports, or reported by an audit: ${nameOf(one)}`, async (t) => {
    t.timeout(300_000);
    t.log(`npm run damage -- ${nameOf(one)}`);
    t.deepEqual(await check(one), []);
  });
}
