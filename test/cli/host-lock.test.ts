import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { withHostLock } from '../../cli/volume/host-lock.ts';
import { until } from '../support/until.ts';

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('work on one volume runs one after the other, on others beside it, and no lock stays', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-lock-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const options = { timeoutMs: 120_000, directory };
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setTimeout(resolve, 20));
    inside -= 1;
  };
  await Promise.all(Array.from({ length: 6 }, () => withHostLock('one', options, work)));
  t.is(most, 1);

  let release = (): void => {};
  const holding = withHostLock('one', options, () => new Promise<void>((resolve) => (release = resolve)));
  await until(async () => (await readdir(directory)).length === 1, 'the lock is taken');
  t.is(await withHostLock('other', options, async () => 'done'), 'done');
  await t.throwsAsync(withHostLock('one', { ...options, timeoutMs: 0 }, work), {
    code: 'NotFinished',
    message: /another command of this host, .* volume one, did not end within 0 ms/,
  });
  const abort = new AbortController();
  const waiting = withHostLock('one', { ...options, signal: abort.signal }, work);
  abort.abort(new Error('interrupted'));
  await t.throwsAsync(waiting, { message: 'interrupted' });
  release();
  await holding;
  await t.throwsAsync(
    withHostLock('one', options, () => Promise.reject(new Error('failed'))),
    { message: 'failed' },
  );
  t.deepEqual(await readdir(directory), []);
});
