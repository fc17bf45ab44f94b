import test from 'ava';
import { SharedRead } from '../../../../lib/targets/iscsi-tgt/shared-read.ts';

test('each reader gets a reading that began after it asked, and those who wait share one', async (t) => {
  const waiting: PromiseWithResolvers<void>[] = [];
  let begun = 0;
  const shared = new SharedRead(async () => {
    begun += 1;
    const number = begun;
    const turn = Promise.withResolvers<void>();
    waiting.push(turn);
    await turn.promise;
    return number;
  });
  const first = [shared.get(), shared.get()];
  await new Promise(setImmediate);
  t.is(begun, 1);
  const second = [shared.get(), shared.get(), shared.get()];
  await new Promise(setImmediate);
  t.is(begun, 1, 'the next one waits for the end of the first');
  waiting[0]?.resolve();
  t.deepEqual(await Promise.all(first), [1, 1]);
  await new Promise(setImmediate);
  waiting[1]?.resolve();
  t.deepEqual(await Promise.all(second), [2, 2, 2]);
});

test('a failed reading fails those who share it, and not the next', async (t) => {
  let begun = 0;
  const shared = new SharedRead(async () => {
    begun += 1;
    if (begun === 1) throw new Error('no answer');
    return begun;
  });
  const [one, other] = [shared.get(), shared.get()];
  await t.throwsAsync(one, { message: 'no answer' });
  await t.throwsAsync(other, { message: 'no answer' });
  t.is(await shared.get(), 2);
});
