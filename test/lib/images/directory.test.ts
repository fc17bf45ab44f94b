import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
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
