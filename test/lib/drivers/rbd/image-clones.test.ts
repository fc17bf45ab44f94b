import { randomUUID } from 'node:crypto';
import { cloneDepth, imageInfo } from '../../../../lib/drivers/rbd/images.ts';
import type { RbdDriver } from '../../../../lib/drivers/rbd/driver.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { RbdCommands } from '../../../../lib/rbd/commands.ts';
import { listed, refuse, spec } from '../subject.ts';
import { data, expectFilled, fillImage } from './data.ts';
import { ceph, driverOn, newPool, startCeph } from './pools.ts';

/** Volumes from images that an image store has in a pool of its own, on a real Ceph, by its locations. */

startCeph();

const rbd = (...args: string[]) => ceph().run('rbd', args);

/** What the images begin with. */
const filled = 7;

interface Image {
  pool: string;
  name: string;
  location: string;
}

const locationOf = (...parts: string[]) => `rbd://${parts.map(encodeURIComponent).join('/')}`;

/** An image as Glance keeps it: raw data, and a protected snapshot of them. The first MiB is filled. */
async function newImage({ sizeMib = 64, name: begin = 'image', pool = 'images' } = {}): Promise<Image> {
  const name = `${begin}-${randomUUID()}`;
  if (!(await pools()).includes(pool)) await ceph().createPool(pool);
  await rbd('create', '--pool', pool, '--size', `${sizeMib}M`, name);
  await fillImage(`${pool}/${name}`, filled);
  await rbd('snap', 'create', '--no-progress', `${pool}/${name}@snap`);
  await rbd('snap', 'protect', `${pool}/${name}@snap`);
  return { pool, name, location: locationOf(ceph().fsid, pool, name, 'snap') };
}

async function pools(): Promise<string[]> {
  return (await ceph().run('ceph', ['osd', 'pool', 'ls'])).split('\n');
}

async function imagesOf(driver: RbdDriver): Promise<string[]> {
  return (await rbd('--pool', driver.pool, 'ls')).split('\n').filter((line) => line !== '');
}

async function depthOf(driver: RbdDriver, id: string): Promise<number> {
  const commands = new RbdCommands({ pool: driver.pool, user: 'admin', conf: ceph().conf }, new ChildProcesses());
  const info = await imageInfo(commands, `volume-${id}`);
  if (info === undefined) throw new Error('no image');
  return cloneDepth(commands, info, 100);
}

data(
  'a volume from an image of another pool has its data, its own labels and size, and leaves the image',
  async (t) => {
    const driver = await newPool();
    const image = await newImage({ name: 'ä image %' });
    const volume = spec({ size: 1 });
    t.like(await driver.snapshots.cloneFrom(volume, image.location), { isNew: true });
    t.deepEqual(await listed(driver, volume.id), { id: volume.id, sizeBytes: 2 ** 30, labels: volume.labels });
    t.is(await depthOf(driver, volume.id), 1, 'nothing is copied');
    t.is((await driver.stats()).volumeBytes, 2 ** 30);
    await expectFilled(driver, volume, filled);

    await t.throwsAsync(driver.snapshots.cloneFrom(volume, image.location, { accept: refuse }), {
      message: /^refused/,
    });
    t.like(await driver.snapshots.cloneFrom(volume, image.location), { isNew: false });
    await driver.deleteVolume(volume);
    t.deepEqual(await imagesOf(driver), []);
    const again = spec();
    t.like(await driver.snapshots.cloneFrom(again, image.location), { isNew: true }, 'the image is as it was');
    await expectFilled(driver, again, filled);
  },
);

data('a volume from an image keeps its data when the image is removed, and is found again', async (t) => {
  const driver = await newPool();
  const image = await newImage();
  const volume = spec();
  await driver.snapshots.cloneFrom(volume, image.location);
  await rbd('snap', 'unprotect', `${image.pool}/${image.name}@snap`);
  await rbd('snap', 'rm', '--no-progress', `${image.pool}/${image.name}@snap`);
  await rbd('trash', 'mv', `${image.pool}/${image.name}`);
  await expectFilled(driver, volume, filled);
  t.like(await driver.snapshots.cloneFrom(volume, image.location), { isNew: false });
  t.is(await driver.snapshots.cloneFrom(spec(), image.location), undefined);
  t.is(await depthOf(driver, volume.id), 1);
  await driver.deleteVolume(volume);
});

data('a user who may only read the pool of the images clones them; one who may not has to copy', async (t) => {
  const image = await newImage();
  const withRights = async (user: string, ...further: string[]) => {
    const { pool } = await newPool();
    const conf = await ceph().createUser(user, [
      'mon',
      'profile rbd',
      'osd',
      [`profile rbd pool=${pool}`, ...further].join(', '),
    ]);
    const driver = driverOn({ pool, conf, user });
    await driver.setup();
    return driver;
  };
  const reader = await withRights('reader', `profile rbd-read-only pool=${image.pool}`);
  const volume = spec();
  t.like(await reader.snapshots.cloneFrom(volume, image.location), { isNew: true });
  await expectFilled(reader, volume, filled);
  const stranger = await withRights('stranger');
  t.is(await stranger.snapshots.cloneFrom(spec(), image.location), undefined);
  const onlyData = await withRights('only-data', `allow r pool=${image.pool}`);
  t.is(await onlyData.snapshots.cloneFrom(spec(), image.location), undefined, 'Ceph refuses to note the copy');
  t.deepEqual(await imagesOf(onlyData), [], 'nothing is left');
});

data('a location that cannot be cloned is left to the caller, and leaves nothing', async (t) => {
  const driver = await newPool();
  const image = await newImage();
  const { fsid } = ceph();
  await rbd('create', '--size', '64M', '--image-feature', 'exclusive-lock', `${image.pool}/plain`);
  await rbd('snap', 'create', '--no-progress', `${image.pool}/plain@snap`);
  const other = await newImage({ pool: 'volumes-of-others' });
  const locations = [
    other.location, // whoever may state locations could read any volume
    locationOf(randomUUID(), image.pool, image.name, 'snap'),
    locationOf(fsid, 'none', image.name, 'snap'),
    locationOf(fsid, image.pool, 'none', 'snap'),
    locationOf(fsid, image.pool, image.name, 'none'),
    locationOf(fsid, image.pool, 'plain', 'snap'),
    `rbd://${image.name}`,
    'https://images/1',
  ];
  for (const location of locations) t.is(await driver.snapshots.cloneFrom(spec(), location), undefined, location);
  t.deepEqual(await imagesOf(driver), []);
  t.is((await driver.stats()).volumeBytes, 0);
});

data('an image that is larger than the volume is refused with the size needed', async (t) => {
  const driver = await newPool();
  const image = await newImage({ sizeMib: 1536 });
  const tooSmall = driver.snapshots.cloneFrom(spec({ size: 1 }), image.location);
  const error = await t.throwsAsync(tooSmall, { code: 'InvalidArgument' });
  t.is(error.message, `size 1 is not at least 2 GiB, the size of the image ${image.pool}/${image.name}`);
  t.deepEqual(await imagesOf(driver), []);
  await t.throwsAsync(driver.snapshots.cloneFrom(spec({ size: 3 }), image.location), { code: 'NoSpace' });
});

data('copies below an image of another pool count as those below a volume do', async (t) => {
  const driver = await newPool({ maxCloneDepth: 2 });
  const base = await newImage();
  await rbd('clone', `${base.pool}/${base.name}@snap`, `${base.pool}/second`);
  await rbd('snap', 'create', '--no-progress', `${base.pool}/second@snap`);
  await rbd('snap', 'protect', `${base.pool}/second@snap`);
  const [volume, copy] = [spec(), spec()];
  await driver.snapshots.cloneFrom(volume, locationOf(ceph().fsid, base.pool, 'second', 'snap'));
  t.is(await depthOf(driver, volume.id), 2);
  await driver.cloneVolume(copy, volume);
  t.is(await depthOf(driver, copy.id), 0, 'it would depend on three, and was flattened');
  await expectFilled(driver, copy, filled);
});
