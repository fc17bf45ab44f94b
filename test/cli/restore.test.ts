import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { z } from 'zod';
import { CliPlace } from './place.ts';

/** `volume revert` and `volume reimage`. */

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await writeFile(place.file('blockstore.conf'), `image_directory = ${place.file('images')}\n`);
  await mkdir(place.file('pool'));
  await place.daemon('n1', {
    volume_driver: 'file',
    volume_target: 'none',
    volume_pool_dir: place.file('pool'),
    image_directory: place.file('images'),
  });
});
test.after.always(() => place.close());

const dataOf = (id: string) => readFile(place.file(`pool/volume-${id}`));
const write = (id: string) => writeFile(place.file(`pool/volume-${id}`), randomBytes(10_000), { flag: 'r+' });

test.serial('a volume goes back to its latest snapshot', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'data');
  await place.run('snapshot', 'create', 'data', '--name', 'early');
  await write(id);
  const { stdout: snapshot } = await place.run('snapshot', 'create', 'data', '--name', 'noon');
  const before = await dataOf(id);
  await write(id);
  t.like(await place.run('volume', 'revert', 'data', 'noon'), { exitCode: 0, stdout: id, stderr: '' });
  t.true((await dataOf(id)).equals(before));
  t.like(await place.json('volume', 'revert', 'data', snapshot), { id, status: 'available', restoreFrom: null });
  const early = await place.run('volume', 'revert', 'data', 'early');
  t.is(early.exitCode, 2);
  t.regex(early.stderr, /can only go back to its latest snapshot.*\n.*volume create --snapshot/);
  const begun = await place.run('volume', 'revert', id.slice(0, 8), 'noon');
  t.is(begun.exitCode, 4, 'what cannot be undone is not done by the beginning of an id');
  await place.run('volume', 'attach', 'data', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  const attached = await place.run('volume', 'revert', 'data', 'noon');
  t.is(attached.exitCode, 5);
  t.regex(attached.stderr, /is attached to i-1.*\n.*detach it first/);
  await place.run('volume', 'detach', 'data');
  t.is((await place.run('volume', 'revert', 'data', 'noon', '--no-wait')).stdout, id);
  t.is((await place.run('volume', 'wait', 'data', '--status', 'available', '--timeout', '60')).exitCode, 0);
});

test.serial(
  'a snapshot of a group snapshot is found by its name for its volume, among those of other volumes',
  async (t) => {
    const volumes: string[] = [];
    for (const name of ['shop', 'log']) {
      volumes.push((await place.run('volume', 'create', '0', '--name', name, '--project', 'web')).stdout);
    }
    const [id = ''] = volumes;
    await place.run('group', 'create', '--name', 'web', '--project', 'web');
    await place.run('group', 'update', 'web', '--add', 'shop', '--add', 'log');
    await write(id);
    const before = await dataOf(id);
    const { stdout: group } = await place.run('group-snapshot', 'create', 'web', '--name', 'nightly');
    await write(id);
    t.like(await place.run('volume', 'revert', 'shop', 'nightly'), { exitCode: 0, stdout: id, stderr: '' });
    t.true((await dataOf(id)).equals(before));
    const image = await place.json('image', 'create', 'shop', '--snapshot', 'nightly', '--format', 'raw');
    t.like(image, { name: 'shop', status: 'active' });

    const { snapshots } = z
      .object({ snapshots: z.array(z.object({ id: z.string() })) })
      .parse(await place.json('snapshot', 'list', '--volume', 'shop'));
    const [{ id: member } = { id: '' }] = snapshots;
    await place.run('snapshot', 'update', member, '--name', 'of the shop');
    for (const reference of ['of the shop', 'nightly', group, member, member.slice(0, 8)]) {
      t.like(
        await place.run('volume', 'revert', 'shop', reference),
        { exitCode: 0, stdout: id, stderr: '' },
        reference,
      );
    }

    const { stdout: single } = await place.run('snapshot', 'create', 'shop', '--name', 'nightly');
    const refused = await place.run('volume', 'revert', 'shop', 'nightly');
    t.is(refused.exitCode, 2);
    t.regex(refused.stderr, /^blockstore: nightly matches more than one snapshot: .*\n {2}give the full id$/);
    for (const one of [member, single]) t.true(refused.stderr.includes(one));
    t.is((await place.run('volume', 'revert', 'shop', single)).stdout, id);
    const other = await place.run('volume', 'revert', 'data', 'of the shop');
    t.is(other.exitCode, 2);
    t.regex(other.stderr, /can only go back to its latest snapshot/);
  },
);

test.serial('a volume gets the data of an image, a reserved one when that is asked for', async (t) => {
  const data = randomBytes(2048);
  await writeFile(place.file('disk'), data);
  const { stdout: image } = await place.run('image', 'import', place.file('disk'), '--format', 'raw', '--name', 'base');
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'root');
  await write(id);
  t.like(await place.run('volume', 'reimage', 'root', 'base'), { exitCode: 0, stdout: id, stderr: '' });
  const found = await dataOf(id);
  t.true(found.subarray(0, data.length).equals(data));
  t.true(found.subarray(data.length).every((byte) => byte === 0));
  t.regex((await place.run('volume', 'show', 'root')).stdout, new RegExp(`^made from +image ${image}$`, 'm'));
  t.is((await place.run('volume', 'reimage', 'root', 'absent')).exitCode, 4);
  await place.run('attachment', 'create', 'root', '--instance', 'i-1');
  const reserved = await place.run('volume', 'reimage', 'root', 'base');
  t.is(reserved.exitCode, 5);
  t.regex(reserved.stderr, /is reserved for i-1/);
  t.like(await place.json('volume', 'reimage', 'root', 'base', '--reserved'), { id, status: 'reserved' });
});

test.serial('a volume that is too small for an image or a backup is to be extended', async (t) => {
  await writeFile(place.file('large'), Buffer.alloc(1024, 1));
  const given = ['--format', 'raw', '--name', 'large', '--min-disk', '2'];
  const { stdout: image } = await place.run('image', 'import', place.file('large'), ...given);
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'small');
  const refused = await place.run('volume', 'reimage', 'small', 'large');
  t.is(refused.exitCode, 2);
  t.regex(
    refused.stderr,
    new RegExp(`image ${image} requires 2 GiB, and volume ${id} has 100 MiB\\n.*extend ${id} 2$`),
  );
});
