import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { copyImage } from '../../../lib/images/copy.ts';
import { type ImageFormat, imageFormats } from '../../../lib/images/formats/names.ts';
import { openImage } from '../../../lib/images/reader.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { until } from '../../support/until.ts';

const execute = promisify(execFile);
const MiB = 2 ** 20;
const processes = new ChildProcesses();
const asRoot = process.getuid?.() === 0 ? test : test.skip;
const qemuNames: Record<ImageFormat, readonly string[]> = {
  raw: ['raw'],
  qcow2: ['qcow2', '-c'],
  vmdk: ['vmdk', '-o', 'subformat=streamOptimized'],
  vdi: ['vdi'],
  vhd: ['vpc', '-o', 'force_size=on'],
};

async function place(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'copy, of-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

/** Data at both ends of 16 MiB, and the image of it. */
async function imageOf(directory: string, format: ImageFormat): Promise<{ path: string; data: Buffer }> {
  const data = Buffer.concat([randomBytes(MiB), Buffer.alloc(14 * MiB), randomBytes(MiB)]);
  const raw = join(directory, 'source');
  await writeFile(raw, data);
  const path = join(directory, `image.${format}`);
  const [name = '', ...options] = qemuNames[format];
  await execute('qemu-img', ['convert', '-f', 'raw', '-O', name, ...options, raw, path]);
  return { path, data };
}

for (const format of imageFormats) {
  test(`${format}: a volume has the data of its image, holes stay holes, and progress is reported`, async (t) => {
    const directory = await place(t);
    const { path, data } = await imageOf(directory, format);
    const target = join(directory, 'volume');
    await writeFile(target, '');
    await truncate(target, 20 * MiB);
    const percents: number[] = [];
    const reader = await openImage(processes, { name: 'one', path, format });
    t.teardown(() => reader.close());
    t.is(reader.sizeBytes, data.length);
    const volume = { path: target, sizeBytes: 20 * MiB, isBlank: true };
    await copyImage(processes, { name: 'one', reader }, volume, { progress: (percent) => percents.push(percent) });
    const written = await readFile(target);
    t.is(written.length, 20 * MiB);
    t.true(written.subarray(0, data.length).equals(data));
    t.true((await stat(target)).blocks * 512 < 6 * MiB);
    t.is(percents.at(-1), 100);

    await writeFile(target, randomBytes(20 * MiB));
    await copyImage(processes, { name: 'one', reader }, { ...volume, isBlank: false });
    t.true((await readFile(target)).subarray(0, data.length).equals(data));
  });
}

test('an image that is larger than the volume is refused before anything is written', async (t) => {
  const directory = await place(t);
  const { path } = await imageOf(directory, 'qcow2');
  const target = join(directory, 'volume');
  await writeFile(target, Buffer.alloc(15 * MiB, 'kept'));
  const reader = await openImage(processes, { name: 'one', path, format: 'qcow2' });
  t.teardown(() => reader.close());
  const error = await t.throwsAsync(
    copyImage(processes, { name: 'one', reader }, { path: target, sizeBytes: 15 * MiB, isBlank: true }),
    { code: 'ImageTooLarge', message: /16777216 bytes, the volume has 15728640/ },
  );
  t.like(error, { hint: 'use a volume of at least 1 GiB' });
  t.true((await readFile(target)).equals(Buffer.alloc(15 * MiB, 'kept')));
});

asRoot('what reads an image is no root, has no rights, and little memory', async (t) => {
  const { path } = await imageOf(await place(t), 'qcow2');
  const reader = await openImage(processes, { name: 'one', path, format: 'qcow2' });
  t.teardown(() => reader.close());
  const socket = /server\.path=(.*)$/.exec(reader.source)?.[1] ?? 'none';
  const { stdout } = await execute('pgrep', ['-f', `qemu-nbd .*${socket}`]);
  const [pid = ''] = stdout.split('\n');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  t.regex(status, /^Uid:\t65520\t65520\t65520\t65520$/m);
  t.regex(status, /^Groups:\t? ?$/m);
  t.regex(status, /^CapBnd:\t0+$/m);
  t.regex(status, /^CapEff:\t0+$/m);
  t.regex(status, /^NoNewPrivs:\t1$/m);
  t.regex(await readFile(`/proc/${pid}/limits`, 'utf8'), /^Max address space +1073741824/m);
  await reader.close();
  await until(async () => (await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')) === '', 'it has ended');
});

test('what QEMU does not read is refused with what it says, and leaves nothing', async (t) => {
  const directory = await place(t);
  const path = join(directory, 'image');
  await writeFile(path, randomBytes(MiB));
  await t.throwsAsync(openImage(processes, { name: 'one', path, format: 'qcow2' }), {
    code: 'ImageRefused',
    message: /image one is refused: .*not in qcow2 format/,
  });
});

test('an image whose data cannot be unpacked is refused, not taken for zeros', async (t) => {
  const directory = await place(t);
  const raw = join(directory, 'source');
  await writeFile(
    raw,
    Array.from({ length: 100_000 }, (_, line) => `line ${line}`)
      .join('\n')
      .padEnd(2 * MiB),
  );
  const path = join(directory, 'image');
  await execute('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-c', raw, path]);
  const { size } = await stat(path);
  await using file = await open(path, 'r+');
  await file.write(Buffer.alloc(50_000, 0xa5), 0, 50_000, size - 100_000);
  const target = join(directory, 'volume');
  await writeFile(target, '');
  await truncate(target, 16 * MiB);
  const outcome = async () => {
    const reader = await openImage(processes, { name: 'one', path, format: 'qcow2' });
    try {
      await copyImage(processes, { name: 'one', reader }, { path: target, sizeBytes: 16 * MiB, isBlank: true });
    } finally {
      await reader.close();
    }
  };
  await t.throwsAsync(outcome());
});

test('a cancelled copy ends, and what reads the image with it', async (t) => {
  const directory = await place(t);
  const { path } = await imageOf(directory, 'raw');
  const target = join(directory, 'volume');
  await writeFile(target, Buffer.alloc(16 * MiB));
  const reader = await openImage(processes, { name: 'one', path, format: 'raw' });
  t.teardown(() => reader.close());
  const signal = AbortSignal.abort();
  const volume = { path: target, sizeBytes: 16 * MiB, isBlank: true };
  await t.throwsAsync(copyImage(processes, { name: 'one', reader }, volume, { signal }));
});
