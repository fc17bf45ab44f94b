import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
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

test.serial('names that several images have are refused, and a list is read in parts', async (t) => {
  const file = join(directory, 'raw');
  await writeFile(file, Buffer.alloc(1024));
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    ids.push((await run('image', 'import', file, '--format', 'raw', '--name', 'same')).stdout);
  }
  t.like(JSON.parse((await run('image', 'show', 'same', '--json')).stderr), { error: { code: 'ImageAmbiguous' } });
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
