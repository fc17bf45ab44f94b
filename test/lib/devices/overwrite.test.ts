import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { overwrite, zeroFrom } from '../../../lib/devices/overwrite.ts';
import { ChildProcesses } from '../../../lib/process.ts';

const MiB = 2 ** 20;
const processes = new ChildProcesses();
const { signal } = new AbortController();

let directory: string;
test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'overwrite-'));
});
test.after.always(() => rm(directory, { recursive: true }));

async function file(name: string, data: Buffer): Promise<{ path: string; sizeBytes: number }> {
  const path = join(directory, name);
  await writeFile(path, data);
  return { path, sizeBytes: data.length };
}

test('storage gets the data of other storage, whatever differs', async (t) => {
  const sizeBytes = 5 * MiB + 3 * 4096 + 17;
  const data = randomBytes(sizeBytes);
  const present = Buffer.from(data);
  for (const at of [0, 4095, 4096, MiB - 1, MiB, 2 * MiB + 5000, sizeBytes - 1]) present[at] = (present[at] ?? 0) ^ 1;
  present.fill('other', 3 * MiB, 4 * MiB + 10_000);
  const [from, to] = [await file('from', data), await file('to', present)];
  const steps: number[] = [];
  t.true(await overwrite(processes, from, to, { signal, progress: (bytes) => steps.push(bytes) }));
  t.true((await readFile(to.path)).equals(data));
  t.true((await readFile(from.path)).equals(data));
  t.is(steps.at(-1), sizeBytes);
  t.deepEqual(
    steps,
    steps.toSorted((one, other) => one - other),
  );
});

test('what is equal is not written: holes stay holes', async (t) => {
  const [from, to] = [await file('sparse', Buffer.alloc(0)), await file('hole', Buffer.alloc(0))];
  for (const { path } of [from, to]) await truncate(path, 64 * MiB);
  await writeFile(to.path, randomBytes(4096), { flag: 'r+' });
  const storage = { sizeBytes: 64 * MiB };
  t.true(await overwrite(processes, { ...from, ...storage }, { ...to, ...storage }, { signal }));
  t.true((await stat(to.path)).blocks * 512 <= MiB);
  t.true((await readFile(to.path)).every((byte) => byte === 0));
});

test('storage with less than the data it is to have is refused', async (t) => {
  const [from, to] = [await file('long', randomBytes(2 * MiB)), await file('short', randomBytes(MiB))];
  await t.throwsAsync(overwrite(processes, from, to, { signal }), { message: /ended after 1048576 bytes/ });
});

test('storage becomes zeros from an offset on', async (t) => {
  const data = randomBytes(3 * MiB);
  const storage = await file('zeros', data);
  const offset = MiB + 512;
  await zeroFrom(processes, storage, offset, { signal });
  const found = await readFile(storage.path);
  t.is(found.length, data.length);
  t.true(found.subarray(0, offset).equals(data.subarray(0, offset)));
  t.true(found.subarray(offset).every((byte) => byte === 0));
  await zeroFrom(processes, storage, data.length, { signal });
});

test('a file that is gone is not made anew', async (t) => {
  const from = await file('there', randomBytes(4096));
  const to = { path: join(directory, 'absent'), sizeBytes: 4096 };
  await t.throwsAsync(overwrite(processes, from, to, { signal }));
  await t.throwsAsync(stat(to.path), { code: 'ENOENT' });
});
