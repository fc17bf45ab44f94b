import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { Changes } from '../../../lib/san/changes.ts';
import { SharedRead } from '../../../lib/san/shared-read.ts';
import { until } from '../../support/until.ts';

/** Each read finds its number, from 1. */
function counting(changes?: Changes, during: () => Promise<void> = async () => {}) {
  let reads = 0;
  return new SharedRead(async () => {
    reads += 1;
    const own = reads;
    await during();
    return own;
  }, changes);
}

const long = 3_600_000;

test('concurrent callers share a read that began after their calls', async (t) => {
  const shared = counting();
  t.deepEqual(await Promise.all([shared.fresh(), shared.fresh(), shared.fresh()]), [1, 2, 2]);
  t.deepEqual(await Promise.all([shared.fresh(), shared.recent(long), shared.recent(-1)]), [3, 2, 3]);
});

test('a change ends the use of everything that was read earlier, also by others', async (t) => {
  const changes = new Changes();
  const held = Promise.withResolvers<void>();
  const [driver, target] = [counting(changes), counting(changes, () => held.promise)];
  t.is(await driver.recent(long), 1);
  const early = target.recent(long);
  await t.throwsAsync(
    driver.changing(async () => {
      await pause(5);
      throw new Error('perhaps done');
    }),
  );
  const late = target.recent(long);
  held.resolve();
  t.deepEqual([await early, await late], [1, 2]);
  t.is(await driver.recent(long), 2);
});

test('a series of calls uses one result for longer than it is recent', async (t) => {
  const maxAgeMs = 500;
  await until(async () => {
    const shared = counting();
    const began = performance.now();
    let longestGap = 0;
    for (let last = began; last - began < 3 * maxAgeMs; ) {
      const found = await shared.inSeries(maxAgeMs);
      await pause(20);
      const now = performance.now();
      longestGap = Math.max(longestGap, now - last);
      last = now;
      if (longestGap < maxAgeMs) t.is(found, 1);
    }
    return longestGap < maxAgeMs && (await shared.recent(maxAgeMs)) === 1;
  }, 'a machine that was never held up');
});
