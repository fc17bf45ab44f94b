import { setImmediate as next } from 'node:timers/promises';
import test from 'ava';
import { Turns } from '../../lib/turns.ts';

test('work for one key is done one by one and in order, also after a failure', async (t) => {
  const turns = new Turns();
  const events: string[] = [];
  const work = async (name: string) => {
    events.push(`${name} begins`);
    await next();
    events.push(`${name} ends`);
    if (name === 'two') throw new Error('two failed');
  };
  const all = await Promise.allSettled(['one', 'two', 'three'].map((name) => turns.take('key', () => work(name))));
  t.deepEqual(
    all.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.deepEqual(events, ['one begins', 'one ends', 'two begins', 'two ends', 'three begins', 'three ends']);
});

test('work for different keys is done side by side', async (t) => {
  const turns = new Turns();
  let release = () => {};
  const held = turns.take('one', () => new Promise<void>((resolve) => (release = resolve)));
  t.is(await turns.take('two', async () => 'done'), 'done');
  release();
  await held;
});
