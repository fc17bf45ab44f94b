import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { FileLock } from '../../lib/file-lock.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { until } from '../support/until.ts';

const processes = new ChildProcesses();
let directory: string;
test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blockstore-lock-'));
});
test.after.always(() => rm(directory, { recursive: true }));

test('a lock has one holder at a time until its release', async (t) => {
  const file = join(directory, 'one');
  const first = await FileLock.take(file, processes);
  t.truthy(first);
  t.is(await FileLock.take(file, processes), undefined);
  await first?.release();
  const second = await FileLock.take(file, processes);
  t.truthy(second);
  await second?.release();
});

test('the lock of a killed process is free, also while its children run', async (t) => {
  const file = join(directory, 'two');
  const modules = ['file-lock', 'process'].map((name) => new URL(`../../lib/${name}.ts`, import.meta.url).href);
  const script = `
    import { FileLock } from ${JSON.stringify(modules[0])};
    import { ChildProcesses } from ${JSON.stringify(modules[1])};
    const processes = new ChildProcesses();
    await FileLock.take(${JSON.stringify(file)}, processes);
    const child = processes.resident('sleep', ['1000'], {});
    process.stdout.write(child.pid + '\\n');`;
  const holder = execa(process.execPath, ['--input-type=module-typescript', '-e', script], { reject: false });
  let child = '';
  holder.stdout.on('data', (chunk: Buffer) => {
    child += chunk.toString();
  });
  await until(() => child.endsWith('\n'), 'the lock is held', 60_000);
  t.teardown(() => process.kill(Number(child), 'SIGKILL'));
  t.is(await FileLock.take(file, processes), undefined);
  holder.kill('SIGKILL');
  const lock = await FileLock.take(file, processes);
  t.truthy(lock);
  await lock?.release();
  await holder;
});

test('a file that cannot be locked is an error', async (t) => {
  await t.throwsAsync(FileLock.take(join(directory, 'absent', 'lock'), processes), { code: 'ENOENT' });
});
