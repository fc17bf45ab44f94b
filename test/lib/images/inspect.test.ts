import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, open, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { type ImageFormat, imageFormats } from '../../../lib/images/formats/names.ts';
import { inspectImage } from '../../../lib/images/inspect.ts';

const execute = promisify(execFile);
const MiB = 2 ** 20;
/** As qemu-img names them, with options. */
const kinds: readonly (readonly [format: ImageFormat, qemu: string, options: string])[] = [
  ['qcow2', 'qcow2', 'compat=1.1'],
  ['qcow2', 'qcow2', 'compat=0.10'],
  ['qcow2', 'qcow2', 'extended_l2=on,cluster_size=32k'],
  ['qcow2', 'qcow2', 'compression_type=zstd'],
  ['vmdk', 'vmdk', 'subformat=monolithicSparse'],
  ['vmdk', 'vmdk', 'subformat=streamOptimized'],
  ['vdi', 'vdi', ''],
  ['vdi', 'vdi', 'static=on'],
  ['vhd', 'vpc', 'subformat=dynamic,force_size=on'],
  ['vhd', 'vpc', 'subformat=fixed,force_size=on'],
];

async function place(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'images-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

/** Raw data of 8 MiB, the second half of them zeros. */
async function rawIn(directory: string): Promise<string> {
  const path = join(directory, 'raw');
  await writeFile(path, Buffer.alloc(4 * MiB, 'data of a guest '));
  await truncate(path, 8 * MiB);
  return path;
}

async function made(directory: string, qemu: string, options: string): Promise<string> {
  const path = join(directory, 'image');
  const given = options === '' ? [] : ['-o', options];
  await execute('qemu-img', ['convert', '-f', 'raw', '-O', qemu, ...given, await rawIn(directory), path]);
  return path;
}

async function patch(path: string, offset: number, bytes: Buffer): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
}

for (const [format, qemu, options] of kinds) {
  test(`${format} (${options || 'as it is made'}): the virtual size; refused where it is truncated`, async (t) => {
    const path = await made(await place(t), qemu, options);
    t.is(await inspectImage('one', path, format), 8 * MiB);
    const { size } = await stat(path);
    for (const bytes of [size - 70_000, Math.floor(size / 2), 300]) {
      await truncate(path, bytes);
      await t.throwsAsync(inspectImage('one', path, format), {
        code: 'ImageRefused',
        message: /image one is refused: /,
      });
    }
  });

  test(`${format} (${options || 'as it is made'}): no other format is guessed`, async (t) => {
    const path = await made(await place(t), qemu, options);
    for (const other of imageFormats) {
      if (other === format || other === 'raw') continue;
      await t.throwsAsync(inspectImage('one', path, other), { code: 'ImageRefused' });
    }
    if (format === 'vhd') return; // 512 bytes more than whole sectors of data
    t.is(
      await inspectImage('one', path, 'raw').catch(() => 0),
      (await stat(path)).size % 512 === 0 ? (await stat(path)).size : 0,
    );
  });
}

test('raw is of any content, but of whole sectors, and not empty', async (t) => {
  const path = join(await place(t), 'raw');
  await writeFile(path, Buffer.from('QFI\u00fb'.padEnd(1024), 'latin1'));
  t.is(await inspectImage('one', path, 'raw'), (await stat(path)).size);
  await writeFile(path, Buffer.alloc(1000));
  await t.throwsAsync(inspectImage('one', path, 'raw'), { code: 'ImageRefused', message: /size of 1000 bytes/ });
  await writeFile(path, '');
  await t.throwsAsync(inspectImage('one', path, 'raw'), { code: 'ImageRefused', message: /it is empty/ });
});

test('qcow2: a backing file is refused, in either version', async (t) => {
  const directory = await place(t);
  const base = await rawIn(directory);
  for (const version of ['0.10', '1.1']) {
    const path = join(directory, `of-${version}`);
    await execute('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `compat=${version}`,
      '-b',
      base,
      '-F',
      'raw',
      path,
    ]);
    await t.throwsAsync(inspectImage('one', path, 'qcow2'), { message: /it has a backing file/ });
  }
  const named = join(directory, 'named');
  await execute('qemu-img', [
    'create',
    '-q',
    '-u',
    '-f',
    'qcow2',
    '-b',
    'json:{"driver":"file","filename":"/etc/shadow"}',
    '-F',
    'raw',
    named,
    '1M',
  ]);
  await t.throwsAsync(inspectImage('one', named, 'qcow2'), { message: /it has a backing file/ });
});

test('qcow2: an external data file is refused, also one that the header alone or an extension alone names', async (t) => {
  const directory = await place(t);
  const path = join(directory, 'image');
  await execute('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${join(directory, 'data')}`, path, '1M']);
  await t.throwsAsync(inspectImage('one', path, 'qcow2'), { message: /external data file/ });
  const flagless = join(directory, 'flagless');
  await copyFile(path, flagless);
  await patch(flagless, 79, Buffer.from([0]));
  await t.throwsAsync(inspectImage('one', flagless, 'qcow2'), { message: /external data file/ });
});

test('qcow2: encryption, a corrupt bit, unknown features and nonsense in the header are refused', async (t) => {
  const source = await made(await place(t), 'qcow2', 'compat=1.1');
  const changes: readonly (readonly [number, Buffer, RegExp])[] = [
    [35, Buffer.from([1]), /encrypted/],
    [79, Buffer.from([2]), /corrupt/],
    [78, Buffer.from([1]), /unknown features: 0x100/],
    [7, Buffer.from([4]), /version 4/],
    [23, Buffer.from([60]), /2\^60/],
    [24, Buffer.alloc(8, 0xff), /virtual size/],
    [24, Buffer.alloc(8), /virtual size is 0/],
    [24, Buffer.from([0, 0, 0, 0, 0, 0x80, 1, 0]), /multiple of 512/],
    [36, Buffer.from([0x7f, 0, 0, 0]), /first table/],
    [40, Buffer.from([0, 0x7f, 0, 0]), /offset|truncated/],
    [100, Buffer.alloc(4, 0xff), /truncated/],
  ];
  for (const [offset, bytes, message] of changes) {
    const path = `${source}-${offset}-${bytes.toString('hex')}`;
    await copyFile(source, path);
    await patch(path, offset, bytes);
    await t.throwsAsync(inspectImage('one', path, 'qcow2'), { code: 'ImageRefused', message }, `${offset}`);
  }
});

test('VMDK: descriptors that name other files are refused, wherever they are', async (t) => {
  const directory = await place(t);
  const flat = join(directory, 'flat.vmdk');
  await writeFile(
    flat,
    '# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/passwd" 0\n'.padEnd(1024),
  );
  await t.throwsAsync(inspectImage('one', flat, 'vmdk'), { message: /other files/ });

  const source = await made(directory, 'vmdk', 'subformat=monolithicSparse');
  const change = async (from: string, to: string, message: RegExp) => {
    await using file = await open(source, 'r');
    const descriptor = (await file.read(Buffer.alloc(1024), 0, 1024, 512)).buffer.toString('latin1');
    t.true(descriptor.includes(from), from);
    const path = join(directory, 'changed');
    await copyFile(source, path);
    await patch(path, 512, Buffer.from(descriptor.replace(from, to).slice(0, 1024), 'latin1'));
    await t.throwsAsync(inspectImage('one', path, 'vmdk'), { code: 'ImageRefused', message }, to);
  };
  await change('SPARSE "image"', 'FLAT "/etc/passwd"', /other files/);
  await change('SPARSE "image"', 'SPARSE "/etc/passwd"', /other files/);
  await change('RW 16384', 'RW 1 FLAT "/etc/passwd" 0\nRW 16384', /other files/);
  await change('monolithicSparse', 'monolithicFlat', /other files/);
  await change('parentCID=ffffffff', 'parentCID=11111111', /backing file/);
  await change('createType', 'parentFileNameHint="/etc/shadow"\ncreateType', /backing file/);

  const empty = join(directory, 'no capacity');
  await copyFile(source, empty);
  await patch(empty, 12, Buffer.alloc(8));
  await t.throwsAsync(inspectImage('one', empty, 'vmdk'), { message: /other files/ });
});

test('VDI and VHD: images of differences are refused', async (t) => {
  const directory = await place(t);
  const vdi = await made(directory, 'vdi', '');
  await patch(vdi, 0x4c, Buffer.from([4]));
  await t.throwsAsync(inspectImage('one', vdi, 'vdi'), { message: /type 4/ });
  await patch(vdi, 0x4c, Buffer.from([1]));
  await patch(vdi, 0x1b8, Buffer.from([1]));
  await t.throwsAsync(inspectImage('one', vdi, 'vdi'), { message: /backing file/ });

  const vhd = await made(directory, 'vpc', 'force_size=on');
  const { size } = await stat(vhd);
  for (const offset of [0, size - 512]) await patch(vhd, offset + 0x3f, Buffer.from([4]));
  await t.throwsAsync(inspectImage('one', vhd, 'vhd'), { message: /backing file/ });
  await patch(vhd, size - 512 + 0x3f, Buffer.from([3]));
  await t.throwsAsync(inspectImage('one', vhd, 'vhd'), { message: /footers differ/ });
});

test('tables that name each other, or one another many times, end', async (t) => {
  const path = await made(await place(t), 'qcow2', 'cluster_size=512');
  await using file = await open(path, 'r+');
  const header = (await file.read(Buffer.alloc(72), 0, 72, 0)).buffer;
  const table = Number(header.readBigUInt64BE(40));
  const entries = header.readUInt32BE(36);
  const loop = Buffer.alloc(entries * 8);
  for (let at = 0; at < loop.length; at += 8) loop.writeBigUInt64BE(BigInt(table) & 0xfffffffffffffe00n, at);
  await file.write(loop, 0, loop.length, table);
  const outcome = await inspectImage('one', path, 'qcow2').catch((error: unknown) => error);
  t.true(outcome === 8 * MiB || outcome instanceof Error);
});

test('a file that is absent, or a link to nothing, is an error of the file', async (t) => {
  const directory = await place(t);
  await symlink(join(directory, 'nothing'), join(directory, 'link'));
  await t.throwsAsync(inspectImage('one', join(directory, 'link'), 'raw'), { code: 'ENOENT' });
});
