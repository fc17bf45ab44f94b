import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import test from 'ava';
import { ImageCommands } from '../../../lib/client/image-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { imageFormats } from '../../../lib/images/formats/names.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Volumes from images, with the file driver and a directory of images. */

const execute = promisify(execFile);
const MiB = 2 ** 20;
const deadline = { deadlineMs: 60_000 };
const newVolume = { size: 0, userId: 'user', projectId: 'project' };

let place: string;
let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let uploads: ImageCommands;
let images: ImageDirectory;
let files: FileDriver;
let flags: { image_directory: string; state_dir: string };

test.before(async () => {
  place = await mkdtemp(join(tmpdir(), 'images-'));
  cluster = await Cluster.start();
  store = await cluster.store();
  images = new ImageDirectory(join(place, 'images'));
  flags = { image_directory: join(place, 'images'), state_dir: join(place, 'state') };
  await mkdir(join(place, 'volumes'));
  files = new FileDriver({ directory: join(place, 'volumes') });
  await cluster.node('n1', flags, { driver: files });
  volumes = await cluster.commands();
  uploads = new ImageCommands(store, new RequestClient(store), 'volume');
});

test.after.always(async () => {
  await cluster?.close();
  await rm(place, { recursive: true });
});

async function imageOf(data: Buffer, diskFormat: string, convert: readonly string[] = []): Promise<string> {
  const { id } = await images.create({ name: randomUUID(), diskFormat });
  let content = data;
  if (convert.length > 0) {
    const raw = join(place, randomUUID());
    await writeFile(raw, data);
    await execute('qemu-img', ['convert', '-f', 'raw', ...convert, raw, `${raw}.image`]);
    content = await readFile(`${raw}.image`);
  }
  await images.upload(id, Readable.from([content]));
  return id;
}

async function dataOf(id: string): Promise<Buffer> {
  const volume = await volumesOf(store).lookup(id);
  return readFile(files.localPath({ id, size: volume.size, sizeBytes: 100 * MiB, labels: {} }));
}

async function leftInCache(part: string): Promise<string[]> {
  return (await readdir(join(flags.state_dir, 'image-cache'))).filter((name) => name.includes(part));
}

test.serial('a volume has the data of its image, and zeros behind them', async (t) => {
  const data = Buffer.concat([randomBytes(2 * MiB), Buffer.alloc(6 * MiB), randomBytes(MiB)]);
  const image = await imageOf(data, 'qcow2', ['-O', 'qcow2', '-c']);
  const volume = await volumes.create({ ...newVolume, fromImage: image }, deadline);
  t.like(volume, { status: 'available', fromImage: image, isCopying: false, fault: undefined });
  const found = await dataOf(volume.id);
  t.is(found.length, 100 * MiB);
  t.true(found.subarray(0, data.length).equals(data));
  t.true(found.subarray(data.length).every((byte) => byte === 0));
  const stored = (await files.listVolumes()).find(({ id }) => id === volume.id);
  t.is(stored?.labels['image'], undefined);

  await images.remove(image);
  await t.throwsAsync(volumes.create({ ...newVolume, fromImage: image }, deadline), { code: 'ImageNotFound' });
  t.true((await dataOf(volume.id)).subarray(0, data.length).equals(data), 'the volume needs its image no more');
  await volumes.delete(volume.id, deadline);
});

test.serial(
  'an image that is larger than the volume, refers to a file, or is truncated, leaves nothing to read',
  async (t) => {
    const backed = join(place, 'backed');
    await execute('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', backed, '1M']);
    const truncated = (await readFile(backed)).subarray(0, 1000);
    const cases = [
      [Buffer.alloc(200 * MiB), 'raw', 'ImageTooLarge'],
      [await readFile(backed), 'qcow2', 'ImageRefused'],
      [truncated, 'qcow2', 'ImageRefused'],
      [Buffer.from('not of 512 bytes'), 'raw', 'ImageRefused'],
      [Buffer.alloc(MiB), 'iso', 'ImageRefused'],
    ] as const;
    for (const [content, format, code] of cases) {
      const id = randomUUID();
      const fromImage = await imageOf(content, format);
      await t.throwsAsync(volumes.create({ ...newVolume, id, fromImage }, deadline), { code });
      t.like(await volumesOf(store).lookup(id), { status: 'error', fault: { code, step: 'image' } });
      t.deepEqual(
        (await files.listVolumes()).filter((found) => found.id === id),
        [],
      );
      await volumes.delete(id, deadline);
    }
  },
);

test.serial('a raw image that looks like another format is copied as it is', async (t) => {
  const data = Buffer.alloc(MiB);
  data.write('QFI\u00fb', 'latin1');
  const volume = await volumes.create({ ...newVolume, fromImage: await imageOf(data, 'raw') }, deadline);
  t.true((await dataOf(volume.id)).subarray(0, MiB).equals(data));
  await volumes.delete(volume.id, deadline);
});

test.serial('the same image is fetched once for several volumes, and its files stay within their bound', async (t) => {
  const image = await imageOf(randomBytes(MiB), 'raw');
  const made = await Promise.all([1, 2, 3].map(() => volumes.create({ ...newVolume, fromImage: image }, deadline)));
  t.is((await leftInCache(image)).length, 1);
  t.is((await stat(join(flags.state_dir, 'image-cache'))).mode & 0o777, 0o700);
  for (const { id } of made) await volumes.delete(id, deadline);
});

test.serial('a repeated request with another image is another volume', async (t) => {
  const [one, other] = [await imageOf(randomBytes(MiB), 'raw'), await imageOf(randomBytes(MiB), 'raw')];
  const id = randomUUID();
  await volumes.create({ ...newVolume, id, fromImage: one }, deadline);
  await volumes.create({ ...newVolume, id, fromImage: one }, deadline);
  await t.throwsAsync(volumes.create({ ...newVolume, id, fromImage: other }, deadline), {
    code: 'VolumeExists',
    message: /its image is/,
  });
  await volumes.delete(id, deadline);
});

test.serial('where no driver can take an image, the request is refused before anything starts', async (t) => {
  const alone = await Cluster.start();
  t.teardown(() => alone.close());
  await alone.node('n1', {}, { driver: new FakeDriver() });
  const commands = await alone.commands();
  await t.throwsAsync(commands.create({ ...newVolume, fromImage: randomUUID() }, deadline), {
    message: /its driver fake has no images/,
  });
  t.deepEqual(await Array.fromAsync(volumesOf(await alone.store()).iterate((await alone.store()).keys.volumes())), []);
});

test.serial(
  'a volume whose data were being copied when Redis lost it is copied anew, and not available before',
  async (t) => {
    const data = randomBytes(3 * MiB);
    const image = await imageOf(data, 'raw');
    const id = randomUUID();
    const labels = { user: 'user', project: 'project', size: '0', created: '1700000000000', image };
    await files.createVolume({ id, size: 0, sizeBytes: 100 * MiB, labels });
    const nodes = await cluster.nodeCommands();
    await nodes.audit('n1', { repair: true, remove: [] }, { deadlineMs: 60_000 });
    await until(async () => (await volumesOf(store).find(id))?.status === 'available', 'it is available');
    t.true((await dataOf(id)).subarray(0, data.length).equals(data));
    t.like(await volumesOf(store).lookup(id), { fromImage: image, isCopying: false });
    await volumes.delete(id, deadline);
  },
);

for (const format of imageFormats) {
  test.serial(`a volume becomes a ${format} image, and a volume of that has the same data`, async (t) => {
    const { id } = await volumes.create(newVolume, deadline);
    const path = files.localPath({ id, size: 0, sizeBytes: 100 * MiB, labels: {} });
    const data = randomBytes(3 * MiB);
    const file = await open(path, 'r+');
    await file.write(data, 0, data.length, 50 * MiB);
    await file.close();
    const { id: image } = await images.create({ name: 'made', diskFormat: format });
    await uploads.upload(id, image, deadline);
    t.is((await images.show(image)).status, 'active');
    t.like(await volumesOf(store).lookup(id), { status: 'available', image: '', task: undefined, fault: undefined });
    const copy = await volumes.create({ ...newVolume, fromImage: image }, deadline);
    t.true((await dataOf(copy.id)).equals(await dataOf(id)));
    await volumes.delete(id, deadline);
    await volumes.delete(copy.id, deadline);
    await images.remove(image);
    t.deepEqual(await leftInCache('-upload'), []);
  });
}

test.serial('an upload that fails leaves the volume as it was, and no image', async (t) => {
  const { id } = await volumes.create(newVolume, deadline);
  const { id: odd } = await images.create({ name: 'odd', diskFormat: 'iso' });
  await t.throwsAsync(uploads.upload(id, odd, deadline), { code: 'ImageRefused' });
  await t.throwsAsync(images.show(odd), { code: 'ImageNotFound' });
  await t.throwsAsync(uploads.upload(id, randomUUID(), deadline), { code: 'ImageNotFound' });
  t.like(await volumesOf(store).lookup(id), { status: 'available', image: '', task: undefined, fault: undefined });

  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await t.throwsAsync(uploads.upload(id, odd, deadline), { code: 'VolumeAttached', message: /attached to i-1/ });
  await volumes.detach(id, deadline);
  await volumes.delete(id, deadline);
});
