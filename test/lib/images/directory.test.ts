import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { storeCases } from './store-cases.ts';

const places: string[] = [];

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'images-'));
  places.push(directory);
  return directory;
}

test.after.always(async () => {
  await Promise.all(places.map((directory) => rm(directory, { recursive: true })));
});

storeCases('directory', async () => new ImageDirectory(join(await place(), 'made when it is needed')));

test('a directory that does not exist has no images', async (t) => {
  const store = new ImageDirectory(join(await place(), 'absent'));
  t.deepEqual(await store.list({ limit: 10 }), { images: [] });
  t.deepEqual(await store.named('one'), []);
});

test('other users read neither the data nor the descriptions of images, and a directory that is there keeps its mode', async (t) => {
  const directory = await place();
  const before = process.umask(0o022);
  t.teardown(() => process.umask(before));
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  const given = join(directory, 'given');
  await mkdir(given);
  await chmod(given, 0o775);
  for (const [images, mode] of [
    [join(directory, 'new', 'images'), '700'],
    [given, '775'],
  ] as const) {
    const store = new ImageDirectory(images);
    const file = join(directory, 'file');
    await writeFile(file, 'data', { mode: 0o644 });
    await store.create({ name: 'without data', diskFormat: 'raw' });
    await store.upload((await store.create({ name: 'sent', diskFormat: 'raw' })).id, Readable.from(['data']));
    await store.uploadFile((await store.create({ name: 'linked', diskFormat: 'raw' })).id, file);
    t.is(await modeOf(images), mode);
    const names = await readdir(images);
    t.is(names.filter((name) => name.endsWith('.data')).length, 2);
    for (const name of names) t.is(await modeOf(join(images, name)), '600', name);
  }
});

test('of two uploads of one image at once one is refused, and nothing of it is left', async (t) => {
  const directory = await place();
  const store = new ImageDirectory(directory);
  const { id } = await store.create({ name: 'one', diskFormat: 'raw' });
  const ends = await Promise.allSettled(
    ['a', 'b', 'c'].map((letter) => store.upload(id, Readable.from([Buffer.alloc(2000, letter)]))),
  );
  t.is(ends.filter(({ status }) => status === 'fulfilled').length, 1);
  const { checksum } = await store.show(id);
  const data = await buffer(await store.download(id, 0));
  t.is(checksum?.digest, createHash('sha256').update(data).digest('hex'));
  t.is((await readdir(directory)).length, 3);
  await store.remove(id);
  t.deepEqual(await readdir(directory), []);
});

test('an image that is removed while it gets its data stays removed', async (t) => {
  const directory = await place();
  const store = new ImageDirectory(directory);
  const { id } = await store.create({ name: 'one', diskFormat: 'raw' });
  async function* data() {
    yield Buffer.alloc(1000, 'a');
    await store.remove(id);
    yield Buffer.alloc(1000, 'b');
  }
  await t.throwsAsync(store.upload(id, Readable.from(data())), { code: 'ImageNotFound' });
  await t.throwsAsync(store.show(id), { code: 'ImageNotFound' });
  t.deepEqual(await readdir(directory), []);
});

test('a description that is none is named', async (t) => {
  const directory = await place();
  const store = new ImageDirectory(directory);
  const { id } = await store.create({ name: 'one', diskFormat: 'raw' });
  for (const text of ['', '{', '{"id":"x"}']) {
    await writeFile(join(directory, `${id}.json`), text);
    await t.throwsAsync(store.show(id), { message: new RegExp(`${id}\\.json`) }, text);
  }
});
