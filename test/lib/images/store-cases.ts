import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import type { ImageStore } from '../../../lib/images/store.ts';

/** What every store of images does. `open` is called once for each test. */
export function storeCases(kind: string, open: () => Promise<ImageStore>): void {
  test(`${kind}: data come back as they were given, whole and from any byte on, with a checksum`, async (t) => {
    const store = await open();
    const data = randomBytes(300_000);
    const { id, status } = await store.create({ name: 'one', diskFormat: 'raw', minDisk: 2 });
    t.is(status, 'queued');
    await t.throwsAsync(store.download(id, 0), { code: 'ImageNotActive' });
    await store.upload(id, Readable.from([data.subarray(0, 1000), data.subarray(1000)]));
    const image = await store.show(id);
    t.like(image, { id, name: 'one', status: 'active', diskFormat: 'raw', containerFormat: 'bare', minDisk: 2 });
    t.is(image.sizeBytes, data.length);
    t.regex(image.checksum?.digest ?? '', /^[0-9a-f]{64,128}$/);
    t.true((await buffer(await store.download(id, 0))).equals(data));
    t.true((await buffer(await store.download(id, 299_990))).equals(data.subarray(299_990)));
    await store.remove(id);
    await t.throwsAsync(store.show(id), { code: 'ImageNotFound' });
    await t.throwsAsync(store.download(id, 0), { code: 'ImageNotFound' });
    await t.notThrowsAsync(store.remove(id));
  });

  test(`${kind}: an upload that ends early leaves an image without data, which takes them again`, async (t) => {
    const store = await open();
    const { id } = await store.create({ name: 'two', diskFormat: 'qcow2' });
    const broken = Readable.from(
      (async function* chunks() {
        yield Buffer.alloc(100_000);
        throw new Error('the source ended');
      })(),
    );
    await t.throwsAsync(store.upload(id, broken));
    t.not((await store.show(id)).status, 'active');
    const stop = new AbortController();
    const cut = Readable.from(
      (async function* chunks() {
        yield Buffer.alloc(100_000);
        stop.abort();
        yield Buffer.alloc(100_000);
      })(),
    );
    await t.throwsAsync(store.upload(id, cut, stop.signal));
    await store.upload(id, Readable.from([Buffer.from('whole')]));
    t.is((await buffer(await store.download(id, 0))).toString(), 'whole');
    await t.throwsAsync(store.upload(id, Readable.from([Buffer.from('again')])), { code: 'ImageExists' });
    t.is((await buffer(await store.download(id, 0))).toString(), 'whole');
  });

  test(`${kind}: an id is given once, and is an id`, async (t) => {
    const store = await open();
    const id = randomUUID();
    t.is((await store.create({ id, name: 'three', diskFormat: 'raw' })).id, id);
    await t.throwsAsync(store.create({ id, name: 'other', diskFormat: 'raw' }), { code: 'ImageExists' });
    for (const odd of ['../../etc/passwd', '..', '', 'a b', 'three?']) {
      await t.throwsAsync(store.show(odd), { code: 'ImageNotFound' }, odd);
      await t.throwsAsync(store.download(odd, 0), { code: 'ImageNotFound' }, odd);
    }
  });

  test(`${kind}: images are found by their whole names, whatever these contain`, async (t) => {
    const store = await open();
    const unique = randomUUID();
    for (const name of ['a,b', 'in:a', 'a"b', 'a&b=c', 'ü', 'a']) {
      const { id } = await store.create({ name: `${name} ${unique}`, diskFormat: 'raw' });
      t.deepEqual(
        (await store.named(`${name} ${unique}`)).map((image) => image.id),
        [id],
        name,
      );
    }
    t.deepEqual(await store.named(`nothing ${unique}`), []);
    for (let count = 0; count < 3; count += 1) await store.create({ name: `twice ${unique}`, diskFormat: 'raw' });
    t.is((await store.named(`twice ${unique}`)).length, 2);
  });

  test(`${kind}: pages of a list have every image once`, async (t) => {
    const store = await open();
    const made = new Set<string>();
    for (let count = 0; count < 5; count += 1) made.add((await store.create({ name: 'five', diskFormat: 'raw' })).id);
    const seen: string[] = [];
    let marker: string | undefined;
    do {
      const page = await store.list({ limit: 2, ...(marker === undefined ? {} : { marker }) });
      t.true(page.images.length <= 2);
      seen.push(...page.images.map(({ id }) => id));
      marker = page.marker;
    } while (marker !== undefined);
    t.is(new Set(seen).size, seen.length);
    t.deepEqual(seen.filter((id) => made.has(id)).toSorted(), [...made].toSorted());
  });
}
