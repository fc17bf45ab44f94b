import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { errors } from '../../../lib/errors.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { fetchImage } from '../../../lib/images/fetch.ts';
import type { Image } from '../../../lib/images/image.ts';

async function place(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fetch-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

/** A service whose downloads end as the test says: after so many bytes, with more than there are, or with other bytes. */
class FaultyStore extends ImageDirectory {
  readonly starts: number[] = [];
  faults: ((data: Buffer) => Buffer | Error)[] = [];

  override async download(id: string, from: number): Promise<Readable> {
    this.starts.push(from);
    const data = await super.download(id, from).then((stream) => stream.toArray());
    const fault = this.faults.shift();
    const given = fault?.(Buffer.concat(data)) ?? Buffer.concat(data);
    if (given instanceof Error) throw given;
    return Readable.from([given]);
  }
}

async function stored(t: ExecutionContext): Promise<{ store: FaultyStore; image: Image; data: Buffer; path: string }> {
  const directory = await place(t);
  const store = new FaultyStore(join(directory, 'store'));
  const data = randomBytes(100_000);
  const { id } = await store.create({ name: 'one', diskFormat: 'raw' });
  await store.upload(id, Readable.from([data]));
  return { store, data, image: await store.show(id), path: join(directory, 'fetched') };
}

test('an image is fetched whole, and not again', async (t) => {
  const { store, image, data, path } = await stored(t);
  const seen: number[] = [];
  await fetchImage(store, image, path, { progress: (bytes) => seen.push(bytes) });
  t.true((await readFile(path)).equals(data));
  t.is((await stat(path)).mode & 0o777, 0o640);
  t.is(seen.at(-1), data.length);
  await fetchImage(store, image, path);
  t.deepEqual(store.starts, [0]);
});

test('a download that ends early goes on where it ended, as long as bytes arrive', async (t) => {
  const { store, image, data, path } = await stored(t);
  store.faults = [
    (left) => left.subarray(0, 40_000),
    () => errors.imageServiceUnavailable('it', 'HTTP 503'),
    (left) => left.subarray(0, 1),
    () => new TypeError('terminated'),
  ];
  await fetchImage(store, image, path, { tries: 3, pauseMs: 1 });
  t.true((await readFile(path)).equals(data));
  t.deepEqual(store.starts, [0, 40_000, 40_000, 40_001, 40_001]);
});

test('a service that stays away is an error after the attempts, and what arrived is kept', async (t) => {
  const { store, image, path } = await stored(t);
  store.faults = [(left) => left.subarray(0, 10), () => errors.imageServiceUnavailable('it', 'HTTP 503')];
  await t.throwsAsync(fetchImage(store, image, path, { tries: 2, pauseMs: 1 }), { code: 'ImageServiceUnavailable' });
  t.is((await stat(path)).size, 10);
});

test('other data than the service states are refused and removed; what was left of others is fetched anew', async (t) => {
  const { store, image, data, path } = await stored(t);
  store.faults = [(left) => Buffer.alloc(left.length)];
  await t.throwsAsync(fetchImage(store, image, path), { code: 'ImageChanged', message: /the sha256 checksum/ });
  await t.throwsAsync(stat(path), { code: 'ENOENT' });
  for (const left of [Buffer.alloc(500), Buffer.alloc(200_000), data.subarray(0, 500)]) {
    await writeFile(path, left);
    await fetchImage(store, image, path);
    t.true((await readFile(path)).equals(data));
    await rm(path);
  }
});

test('a service that sends more than the image is refused at once', async (t) => {
  const { store, image, path } = await stored(t);
  store.faults = [(left) => Buffer.concat([left, left])];
  await t.throwsAsync(fetchImage(store, image, path), { code: 'ImageChanged', message: /the size/ });
  t.is(store.starts.length, 1);
});

test('an image without data, or that is gone, and a full disk, are not tried again', async (t) => {
  const { store, image, path } = await stored(t);
  const { sizeBytes: _, ...queued } = { ...image, status: 'queued' };
  await t.throwsAsync(fetchImage(store, queued, path), { code: 'ImageNotActive' });
  await t.throwsAsync(fetchImage(store, { ...image, id: randomUUID() }, path), { code: 'ImageNotFound' });
  await t.throwsAsync(fetchImage(store, image, '/dev/full'), { code: 'ENOSPC' });
  t.is(store.starts.length, 2);
});

test('a cancelled download ends at once', async (t) => {
  const { store, image, path } = await stored(t);
  const stop = new AbortController();
  store.faults = [
    (left) => {
      stop.abort();
      return left.subarray(0, 10);
    },
  ];
  await t.throwsAsync(fetchImage(store, image, path, { signal: stop.signal }), { name: 'AbortError' });
});
