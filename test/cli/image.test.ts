import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { statIfExists } from '../../lib/files.ts';
import { mountTmpfs } from '../support/tmpfs.ts';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

const execute = promisify(execFile);

let place: CliPlace;
let directory: string;
test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'images-'));
  place = await CliPlace.start();
});
test.after.always(async () => {
  await place.close();
  await rm(directory, { recursive: true });
});

function run(...words: string[]) {
  return place.run('--set', `image_directory=${join(directory, 'images')}`, ...words);
}

test.serial('an image is imported, listed, shown and deleted', async (t) => {
  t.is((await run('image', 'list')).stderr, 'no images');
  const file = join(directory, 'disk.qcow2');
  await execute('qemu-img', ['create', '-q', '-f', 'qcow2', file, '10M']);
  const { stdout: id, exitCode } = await run('image', 'import', file, '--format', 'qcow2', '--min-disk', '2');
  t.is(exitCode, 0);
  t.regex(id, /^[0-9a-f-]{36}$/);
  const shown = JSON.parse((await run('image', 'show', 'disk.qcow2', '--json')).stdout);
  t.like(shown, { id, name: 'disk.qcow2', status: 'active', diskFormat: 'qcow2', minDisk: 2 });
  t.is(shown.sizeBytes, (await readFile(file)).length);
  t.regex((await run('image', 'list')).stdout, /disk\.qcow2 +qcow2 +\d+ KiB +active/);
  t.regex((await run('image', 'show', id)).stdout, /^smallest volume +2 GiB$/m);

  const small = await run('volume', 'create', '1', '--image', id, '--json');
  t.like(JSON.parse(small.stderr), { error: { code: 'SizeTooSmall' } });
  const absent = await run('volume', 'create', '2', '--image', 'absent', '--json');
  t.like(JSON.parse(absent.stderr), { error: { code: 'ImageNotFound' } });
  t.is((await run('image', 'delete', 'disk.qcow2')).stdout, id);
  t.is((await run('image', 'show', id)).exitCode, 4);
});

test.serial('a file that no volume can be made from is not imported', async (t) => {
  const file = join(directory, 'backed');
  await execute('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', file, '1M']);
  const refused = await run('image', 'import', file, '--format', 'qcow2', '--json');
  t.is(refused.exitCode, 2);
  t.like(JSON.parse(refused.stderr), { error: { code: 'ImageRefused' } });
  t.like(JSON.parse((await run('image', 'list', '--json')).stdout), { images: [], next: null });
  for (const [path, message] of [
    [join(directory, 'absent'), /absent" is not the path of a file that exists$/],
    [directory, /is not the path of a file with data$/],
  ] as const) {
    const { exitCode, stderr } = await run('image', 'import', path, '--format', 'raw');
    t.is(exitCode, 2);
    t.regex(stderr, message);
  }
  t.is((await run('image', 'import', file)).exitCode, 2, 'a format is never guessed');
});

/** Begins to import a sparse file that takes minutes, and returns once its first data are in the directory. */
async function importing(name: string, ...options: string[]) {
  const [file, images] = [join(directory, name), join(directory, `${name}-images`)];
  await writeFile(file, '');
  await truncate(file, 1000 * 2 ** 30);
  const set = ['--set', `image_directory=${images}`];
  const command = place.begin(...set, 'image', 'import', file, '--format', 'raw', ...options);
  const isUploading = async () => {
    const data = (await readdir(images)).find((found) => found.endsWith('.data'));
    return data !== undefined && (await stat(join(images, data))).size > 0;
  };
  await until(isUploading, 'the data are uploaded', 60_000);
  return { command, file, images };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`an import that ${signal} interrupts leaves no image`, async (t) => {
    const { command, file, images } = await importing(signal.toLowerCase());
    command.kill(signal);
    const { exitCode, stderr } = await command;
    t.is(exitCode, 130);
    t.true(stderr.includes(`blockstore: the import of ${file} was interrupted, and nothing of it stays\n  to do it`));
    t.deepEqual(await readdir(images), []);
  });
}

test('an import whose file becomes shorter leaves no image, and names the file', async (t) => {
  const { command, file, images } = await importing('shrinks');
  await truncate(file, 512);
  const { exitCode, stderr } = await command;
  t.is(exitCode, 1);
  t.regex(
    stderr,
    /^blockstore: file \S+shrinks could not be read to its end: .*size of \d+ bytes has changed\n {2}check/,
  );
  t.deepEqual(await readdir(images), []);
});

test('an image that no volume can have the data of is not imported', async (t) => {
  const images = join(directory, 'none');
  const importOf = (file: string, ...more: string[]) =>
    place.run('--set', `image_directory=${images}`, 'image', 'import', file, '--format', 'qcow2', ...more);
  const [huge, largest] = [join(directory, 'huge.qcow2'), join(directory, 'largest.qcow2')];
  await execute('qemu-img', ['create', '-q', '-f', 'qcow2', huge, '100T']);
  await execute('qemu-img', ['create', '-q', '-f', 'qcow2', largest, '1000G']);
  const tooLarge = await importOf(huge);
  t.is(tooLarge.exitCode, 2);
  t.regex(tooLarge.stderr, /huge\.qcow2 has a disk of 109951162777600 bytes, and no volume has more than 1000 GiB/);
  for (const size of ['1001', '2000', '0', '99999999999999999999']) {
    const { exitCode, stderr } = await importOf(largest, '--min-disk', size);
    t.is(exitCode, 2, size);
    t.regex(stderr, /min-disk "\d+" is not a whole number of GiB from 1 to 1000/);
  }
  t.is(await statIfExists(images), undefined);
  t.is((await importOf(largest, '--min-disk', '1000')).exitCode, 0);
});

test('an import without free space leaves no image', async (t) => {
  const images = join(directory, 'small');
  await mkdir(images);
  if (!(await mountTmpfs(t, images, 'size=4m'))) return;
  await writeFile(join(directory, 'large'), Buffer.alloc(8 * 2 ** 20));
  const words = ['--set', `image_directory=${images}`, 'image', 'import', join(directory, 'large'), '--format', 'raw'];
  const { exitCode, stderr } = await place.run(...words);
  t.is(exitCode, 6);
  t.regex(stderr, /small \(image_directory\) has no space for more: ENOSPC.*\n {2}free space.*df -h \S+small/);
  t.deepEqual(await readdir(images), []);
  await execute('dd', ['if=/dev/zero', `of=${join(images, 'other')}`, 'bs=1M']).catch(() => undefined);
  t.is((await place.run(...words)).exitCode, 6);
  t.deepEqual(await readdir(images), ['other'], 'nor the beginning of a description');
  await execute('mount', ['-o', 'remount,ro', images]);
  const readOnly = await place.run(...words);
  t.is(readOnly.exitCode, 1);
  t.regex(readOnly.stderr, /small \(image_directory\) cannot be used: EROFS.*\n {2}see that/);
});

test('an interrupted import leaves an image that an earlier command made, for a repetition', async (t) => {
  const id = '0123abcd-0000-4000-8000-000000000001';
  const images = join(directory, 'again-images');
  await mkdir(images);
  const queued = { id, name: 'again', status: 'queued', disk_format: 'raw', container_format: 'bare', min_disk: 0 };
  await writeFile(join(images, `${id}.json`), JSON.stringify(queued));
  const { command, file } = await importing('again', '--id', id);
  command.kill('SIGINT');
  t.is((await command).exitCode, 130);
  t.deepEqual(await readdir(images), [`${id}.json`]);
  await truncate(file, 1024);
  const words = ['image', 'import', file, '--format', 'raw', '--id', id];
  t.is((await place.run('--set', `image_directory=${images}`, ...words)).stdout, id);
});

test.serial('names that several images have are refused, and a list is read in parts', async (t) => {
  const file = join(directory, 'raw');
  await writeFile(file, Buffer.alloc(1024));
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    ids.push((await run('image', 'import', file, '--format', 'raw', '--name', 'same')).stdout);
  }
  const refused = await run('image', 'show', 'same', '--json');
  t.is(refused.exitCode, 2);
  const { error } = JSON.parse(refused.stderr);
  t.is(error.code, 'ImageAmbiguous');
  t.is(ids.filter((id) => error.message.includes(id)).length, 2);
  const first = JSON.parse((await run('image', 'list', '--limit', '2', '--json')).stdout);
  const rest = JSON.parse((await run('image', 'list', '--marker', first.next, '--json')).stdout);
  t.deepEqual(
    [...first.images, ...rest.images].map(({ id }) => id),
    ids.toSorted(),
  );
  t.is(rest.next, null);
  t.is((await run('image', 'delete', ...ids)).exitCode, 0);
});

test.serial('a volume of a detached volume’s image has its data', async (t) => {
  const volumes = join(directory, 'volumes');
  await mkdir(volumes);
  await place.daemon('n1', {
    volume_driver: 'file',
    volume_pool_dir: volumes,
    volume_target: 'none',
    image_directory: join(directory, 'images'),
  });
  const { stdout: volume } = await run('volume', 'create', '0', '--name', 'root');
  const made = await run('image', 'create', 'root', '--format', 'raw', '--json');
  t.is(made.exitCode, 0, made.stderr);
  const image = JSON.parse(made.stdout);
  t.like(image, { name: 'root', status: 'active', diskFormat: 'raw', sizeBytes: 100 * 2 ** 20 });
  t.is((await run('image', 'create', 'root', '--format', 'raw', '--id', image.id)).exitCode, 5);
  const { stdout: copy, stderr } = await run('volume', 'create', '0', '--image', 'root');
  t.is(stderr, '');
  t.regex((await run('volume', 'show', copy)).stdout, new RegExp(`^made from +image ${image.id}$`, 'm'));

  await run('volume', 'attach', 'root', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  const attached = await run('image', 'create', 'root', '--name', 'never', '--json');
  t.like(JSON.parse(attached.stderr), { error: { code: 'VolumeAttached' } });
  t.is((await run('image', 'show', 'never')).exitCode, 4);
  await run('volume', 'detach', 'root');
  t.is((await run('volume', 'delete', volume, copy)).exitCode, 0);
});

test.serial('an image that is interrupted before its node knows of it is removed', async (t) => {
  await place.daemon('n2');
  const { stdout: volume } = await place.run('volume', 'create', '0', '--name', 'late');
  const requests: string[] = [];
  let answer = () => {};
  const service = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (request.method === 'DELETE') response.writeHead(204).end();
    else
      request.resume().on('end', () => {
        answer = () => {
          const made = {
            id: randomUUID(),
            name: 'late',
            status: 'queued',
            disk_format: 'raw',
            container_format: 'bare',
          };
          response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(made));
        };
      });
  });
  await once(service.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => service.close());
  const address = service.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const id = randomUUID();
  const set = ['--set', `image_url=http://127.0.0.1:${port}`];
  const command = place.begin(...set, 'image', 'create', 'late', '--format', 'raw', '--id', id);
  await until(() => requests.length === 1, 'the image is requested', 60_000);
  command.kill('SIGINT');
  await once(command.stderr, 'data'); // "undoing the upload"
  answer();
  const { exitCode, stderr } = await command;
  t.is(exitCode, 130);
  t.true(stderr.includes(`the upload of volume ${volume} was interrupted, and nothing of it stays`), stderr);
  t.deepEqual(requests, ['POST /v2/images', `DELETE /v2/images/${id}`]);
  t.is((await place.run('volume', 'delete', 'late')).exitCode, 0);
});
