import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { KeyedMutex, Semaphore, pollUntil, retry } from '../../lib/concurrency.ts';

const never = () => new Promise<void>(() => {});

test('work for one key runs one at a time and in order, also after a failure', async (t) => {
  const mutex = new KeyedMutex();
  const events: string[] = [];
  const work = async (name: string) => {
    events.push(`${name} begins`);
    await turn();
    events.push(`${name} ends`);
    if (name === 'two') throw new Error('two failed');
  };
  const all = await Promise.allSettled(['one', 'two', 'three'].map((name) => mutex.run('key', () => work(name))));
  t.deepEqual(
    all.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  t.deepEqual(events, ['one begins', 'one ends', 'two begins', 'two ends', 'three begins', 'three ends']);
});

test('work for different keys runs concurrently', async (t) => {
  const mutex = new KeyedMutex();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const first = mutex.run('one', () => held);
  t.is(await mutex.run('two', async () => 'done'), 'done');
  release();
  await first;
});

test('a mutex excludes work that is requested in the moment when its last user ends', async (t) => {
  const mutex = new KeyedMutex();
  let running = 0;
  const work = async () => {
    running += 1;
    t.is(running, 1);
    await turn();
    running -= 1;
  };
  const chain = async () => {
    for (let time = 0; time < 20; time += 1) await mutex.run('key', work);
  };
  await Promise.all([chain(), chain(), chain()]);
});

test('a semaphore runs as much work as its bound, and the rest in order', async (t) => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const all = ends.map(({ promise }, index) =>
    semaphore.run(async () => {
      begun.push(index);
      await promise;
    }),
  );
  await turn();
  t.deepEqual(begun, [0, 1]);
  t.is(semaphore.freeSlots, 0);
  ends[1]?.resolve();
  await all[1];
  await turn();
  t.deepEqual(begun, [0, 1, 2]);
  for (const { resolve } of ends) resolve();
  await Promise.all(all);
  t.deepEqual(begun, [0, 1, 2, 3]);
  t.is(semaphore.freeSlots, 2);
});

test('urgent work begins before all that waits, in order, and leaves the queue when its signal aborts', async (t) => {
  const semaphore = new Semaphore(1);
  const begun: string[] = [];
  const gate = Promise.withResolvers<void>();
  const work = (name: string) => async () => {
    begun.push(name);
    await gate.promise;
  };
  const aborting = new AbortController();
  const all = [
    semaphore.run(work('running')),
    semaphore.run(work('first')),
    semaphore.run(work('urgent'), undefined, { isUrgent: true }),
    semaphore.run(work('aborted'), aborting.signal, { isUrgent: true }).catch(() => undefined),
    semaphore.run(work('second urgent'), undefined, { isUrgent: true }),
  ];
  aborting.abort();
  gate.resolve();
  await Promise.all(all);
  t.deepEqual(begun, ['running', 'urgent', 'second urgent', 'first']);
});

test('work whose signal aborts while it waits never begins, and the work behind it does', async (t) => {
  const semaphore = new Semaphore(1);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const first = semaphore.run(() => held);
  const abort = new AbortController();
  const aborted = semaphore.run(async () => t.fail('it began'), abort.signal);
  const last = semaphore.run(async () => 'done');
  abort.abort(new Error('no longer wanted'));
  await t.throwsAsync(aborted, { message: 'no longer wanted' });
  release();
  t.is(await last, 'done');
  await first;
  await t.throwsAsync(semaphore.run(never, abort.signal), { message: 'no longer wanted' });
  t.is(semaphore.freeSlots, 1);
});

test('a signal that aborts after its work has begun leaves the slots alone', async (t) => {
  const semaphore = new Semaphore(1);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const abort = new AbortController();
  const [first, second] = [semaphore.run(() => held), semaphore.run(() => turn(), abort.signal)];
  release();
  await first;
  abort.abort();
  await second;
  t.is(semaphore.freeSlots, 1);
});

test('a retry ends with the first success, the last attempt, or a failure that is not retryable', async (t) => {
  const attempts: number[] = [];
  const failing = (times: number) => {
    let attempt = 0;
    return async () => {
      attempt += 1;
      attempts.push(attempt);
      if (attempt <= times) throw new Error(`failure ${attempt}`);
      return 'done';
    };
  };
  const began = performance.now();
  t.is(await retry(failing(1), { tries: 2 }), 'done');
  t.true(performance.now() - began >= 990, 'a pause of one second');
  await t.throwsAsync(retry(failing(2), { tries: 1 }), { message: 'failure 1' });
  const isRetryable = (error: unknown) => !String(error).includes('failure 1');
  await t.throwsAsync(retry(failing(2), { tries: Infinity, isRetryable }), { message: 'failure 1' });
  t.deepEqual(attempts, [1, 2, 1, 1]);
});

test('a retry ends during a pause with the reason of its signal', async (t) => {
  const abort = new AbortController();
  const pauses: number[] = [];
  const work = retry(() => Promise.reject(new Error('failure')), {
    tries: 10,
    signal: abort.signal,
    onRetry: (_, attempt) => {
      pauses.push(attempt);
      if (attempt === 1) setImmediate(() => abort.abort(new Error('stopped')));
    },
  });
  await t.throwsAsync(work, { message: 'stopped' });
  t.deepEqual(pauses, [1]);
  await t.throwsAsync(
    retry(() => Promise.reject(new Error('failure')), { tries: 10, signal: abort.signal }),
    { message: 'failure' },
  );
});

test('a poll returns the first value, and undefined after its deadline', async (t) => {
  let asked = 0;
  t.is(await pollUntil(() => (asked += 1) >= 3 && asked, { deadlineMs: 60_000, intervalMs: 1 }), 3);
  t.is(await pollUntil(() => 0, { deadlineMs: 0 }), 0, 'zero is a value');
  asked = 0;
  t.is(await pollUntil(() => void (asked += 1), { deadlineMs: 0 }), undefined);
  t.is(asked, 1, 'asked at least once');
  await t.throwsAsync(
    pollUntil(() => Promise.reject(new Error('no answer')), { deadlineMs: 60_000 }),
    {
      message: 'no answer',
    },
  );
  const abort = new AbortController();
  setImmediate(() => abort.abort(new Error('stopped')));
  await t.throwsAsync(
    pollUntil(() => false, { deadlineMs: 60_000, signal: abort.signal }),
    { message: 'stopped' },
  );
});
