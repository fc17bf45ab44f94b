import test from 'ava';
import { RecentCount } from '../../../lib/redis/recent-count.ts';

test('an event counts for the time given, and is forgotten afterwards', (t) => {
  let now = 12_345;
  const count = new RecentCount(1000, () => now);
  const after = (ms: number) => {
    now += ms;
    return count.total;
  };
  t.is(count.total, 0);
  count.add();
  count.add();
  t.is(after(500), 2);
  count.add();
  t.is(after(399), 3);
  t.is(after(150), 1, 'the first two are a second old');
  count.add();
  t.is(after(900), 1);
  t.is(after(1000), 0);
  count.add();
  t.is(after(1_000_000), 0, 'after a long pause');
});
