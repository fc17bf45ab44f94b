import test from 'ava';
import { RequestLimits, addressKey } from '../../../services/api/request-limits.ts';

const wide = { rate: 0, burst: 1, perCaller: 1000, total: 1000 };

test('a caller has its burst, then one request for each part of a second', (t) => {
  let now = 0;
  const limits = new RequestLimits({ ...wide, rate: 4, burst: 2, now: () => now });
  limits.take('a');
  limits.take('a');
  t.like(
    t.throws(() => limits.take('a')),
    { code: 'TooManyRequests', retryAfter: 1 },
  );
  limits.take('b');
  now += 250;
  limits.take('a');
  t.throws(() => limits.take('a'), { code: 'TooManyRequests' });
  now += 60_000;
  limits.take('a');
  limits.take('a');
  t.throws(() => limits.take('a'), { code: 'TooManyRequests' }, 'a pause gives no more than the burst');
});

test('a refused request takes nothing', (t) => {
  let now = 0;
  const limits = new RequestLimits({ ...wide, rate: 1, burst: 1, now: () => now });
  limits.take('a');
  for (let count = 0; count < 100; count += 1) t.throws(() => limits.take('a'));
  now += 1000;
  t.notThrows(() => limits.take('a'));
});

test('so many callers are remembered that memory is bounded, and not forgotten with requests under way', async (t) => {
  const limits = new RequestLimits({ ...wide, rate: 1, burst: 1, perCaller: 1, now: () => 0 });
  const held = Promise.withResolvers<void>();
  const running = limits.run(async (admit) => {
    admit('first');
    await held.promise;
  });
  for (let count = 0; count < 30_000; count += 1) limits.take(`caller ${count}`);
  t.is(limits.size, 10_000);
  t.throws(() => limits.take('first'), { code: 'TooManyRequests' });
  held.resolve();
  await running;
});

test('requests under way are bounded by caller and altogether, also after failures', async (t) => {
  const limits = new RequestLimits({ ...wide, perCaller: 1, total: 2 });
  for (let count = 0; count < 5; count += 1) {
    const failing = limits.run(async (admit) => {
      admit('a');
      throw new Error('no');
    });
    await t.throwsAsync(failing, { message: 'no' });
  }
  const held = Promise.withResolvers<void>();
  const hold = (caller: string) =>
    limits.run(async (admit) => {
      admit(caller);
      await held.promise;
    });
  const first = hold('a');
  await t.throwsAsync(hold('a'), { code: 'CallerBusy' });
  const second = hold('b');
  await t.throwsAsync(hold('c'), { code: 'ApiBusy' });
  held.resolve();
  await Promise.all([first, second]);
  await t.notThrowsAsync(hold('a'));
});

test('an address of IPv6 is counted with its network, one of IPv4 in any form alone', (t) => {
  t.is(addressKey('2001:db8:1:2::5'), addressKey('2001:db8:1:2:ffff::9'));
  t.not(addressKey('2001:db8:1:2::5'), addressKey('2001:db8:1:3::5'));
  t.is(addressKey('::1'), addressKey('::2'));
  t.is(addressKey('::ffff:192.0.2.7'), addressKey('192.0.2.7'));
  t.not(addressKey('192.0.2.7'), addressKey('192.0.2.8'));
});
