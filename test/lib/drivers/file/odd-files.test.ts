import { execFile } from 'node:child_process';
import { access, link, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import { labelFile } from '../../../../lib/drivers/file/labels.ts';
import { checkPool } from '../../../../lib/drivers/file/pool.ts';
import { foundAs, spec } from '../conformance.ts';

const run = promisify(execFile);

async function newDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

test('a pool below a directory that takes none, as /proc, is refused and does not hang', async (t) => {
  await t.throwsAsync(new FileDriver({ directory: '/proc/blockstore/volumes' }).setup(), { code: 'StorageUnusable' });
});

test('a volume that is a link to a file elsewhere is VolumeBusy, for its data would stay', async (t) => {
  const directory = await newDirectory(t);
  const driver = new FileDriver({ directory });
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  const elsewhere = path.join(directory, 'elsewhere');
  await rename(driver.localPath(volume), elsewhere);
  await symlink(elsewhere, driver.localPath(volume));
  const found = [foundAs(volume)];
  t.deepEqual(await driver.listVolumes(), found);
  await t.throwsAsync(driver.deleteVolume(volume), {
    code: 'VolumeBusy',
    message: `volume ${volume.id} is in use on its node: ${driver.localPath(volume)} is a link, and its data would stay; move the file back: mv ${elsewhere} ${driver.localPath(volume)}`,
  });
  t.deepEqual(await driver.listVolumes(), found);
  await rename(elsewhere, `${elsewhere}.away`);
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /which is not there; mount/ });
  await rename(`${elsewhere}.away`, elsewhere);
  await rename(elsewhere, driver.localPath(volume));
  await driver.deleteVolume(volume);
  t.deepEqual(await driver.listVolumes(), []);
});

test('a hard link, as of a backup, keeps its data and is no obstacle to a delete', async (t) => {
  const directory = await newDirectory(t);
  const driver = new FileDriver({ directory });
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  await link(driver.localPath(volume), path.join(directory, 'backup'));
  await driver.deleteVolume(volume);
  await t.notThrowsAsync(access(path.join(directory, 'backup')));
});

test('labels that cannot be read make one volume unusable, and the others are listed', async (t) => {
  const directory = await newDirectory(t);
  const driver = new FileDriver({ directory });
  await driver.setup();
  const [odd, other] = [spec(), spec()];
  await driver.createVolume(odd);
  await driver.createVolume(other);
  const file = labelFile(directory, odd.id);
  await rm(file);
  await mkdir(file);
  const found = await driver.listVolumes();
  t.deepEqual(
    found.find(({ id }) => id === other.id),
    foundAs(other),
  );
  t.like(
    found.find(({ id }) => id === odd.id),
    { labels: {}, unusable: `its labels cannot be read: ${file}: EISDIR` },
  );
  await t.throwsAsync(driver.deleteVolume(odd), { code: 'VolumeBusy', message: /\.json cannot be removed: EISDIR/ });
});

test('a mount point whose file system is away is not taken for the pool, at a start or while it is used', async (t) => {
  const state = await newDirectory(t);
  const directory = path.join(state, 'pool');
  const options = { directory, knownPools: path.join(state, 'file-pools.json') };
  const driver = new FileDriver(options);
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  await rename(directory, `${directory}.away`);
  await mkdir(directory);
  const expected = { code: 'StorageUnusable', message: /is not the pool that this node used before/ };
  await t.throwsAsync(new FileDriver(options).setup(), expected);
  t.like(await checkPool(directory, options.knownPools), { level: 'bad' });
  for (const use of [
    () => driver.stats(),
    () => driver.listVolumes(),
    () => driver.createVolume(spec()),
    () => driver.ensureVolume(volume),
    () => driver.deleteVolume(volume),
  ]) {
    await t.throwsAsync<Error>(use, expected);
  }
  t.deepEqual(await readdir(directory), []);
  await rm(directory, { recursive: true });
  await rename(`${directory}.away`, directory);
  const next = new FileDriver(options);
  await next.setup();
  for (const one of [driver, next]) t.deepEqual(await one.listVolumes(), [foundAs(volume)]);
  // Another node, or one whose state directory is new, takes over what it finds.
  const other = new FileDriver({ directory, knownPools: path.join(state, 'other.json') });
  await other.setup();
  t.deepEqual(await other.listVolumes(), [foundAs(volume)]);
});

const isRoot = process.getuid?.() === 0;

(isRoot ? test : test.skip)(
  'a file that is immutable is VolumeBusy with the command, and keeps its labels',
  async (t) => {
    const directory = await newDirectory(t);
    const driver = new FileDriver({ directory });
    await driver.setup();
    for (const attribute of ['i', 'a']) {
      const volume = spec();
      await driver.createVolume(volume);
      try {
        await run('chattr', [`+${attribute}`, driver.localPath(volume)]);
      } catch {
        t.log('this file system has no such attributes');
        return;
      }
      await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /lsattr .*chattr -i -a / });
      t.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      await run('chattr', [`-${attribute}`, driver.localPath(volume)]);
      await driver.deleteVolume(volume);
    }
  },
);

(isRoot ? test : test.skip)(
  'a file system that is read-only is a problem, for doctor as well, and over when it is writable',
  async (t) => {
    const directory = await newDirectory(t);
    const mount = await run('mount', ['-t', 'tmpfs', 'blockstore-test', directory]).catch(() => undefined);
    if (mount === undefined) {
      t.log('this host may not mount');
      return;
    }
    try {
      const driver = new FileDriver({ directory });
      await driver.setup();
      t.true((await driver.stats()).acceptsCreates);
      await run('mount', ['-o', 'remount,ro', directory]);
      const problem = `the directory ${directory} is not writable: its file system is read-only`;
      t.like(await new FileDriver({ directory }).stats(), { acceptsCreates: false, problem });
      t.like(await checkPool(directory), { level: 'bad', message: problem });
      await t.throwsAsync(driver.createVolume(spec()), { code: 'StorageUnusable', message: problem });
      await run('mount', ['-o', 'remount,rw', directory]);
      t.true((await new FileDriver({ directory }).stats()).acceptsCreates);
      await writeFile(path.join(directory, 'writable'), '');
    } finally {
      await run('umount', [directory]);
    }
  },
);

(isRoot ? test : test.skip)(
  'a file system that takes no more files, though it has space, is full: the volume is placed elsewhere',
  async (t) => {
    const directory = await newDirectory(t);
    const mount = await run('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=3', 'blockstore-test', directory]).catch(
      () => undefined,
    );
    if (mount === undefined) {
      t.log('this host may not mount');
      return;
    }
    try {
      const driver = new FileDriver({ directory });
      await driver.setup();
      const volume = spec();
      await t.throwsAsync(driver.createVolume(volume), { code: 'NoSpace', message: /takes no more files.*ENOSPC/ });
      await driver.deleteVolume(volume);
      t.deepEqual(await readdir(directory), ['.blockstore-pool']);
    } finally {
      await run('umount', [directory]);
    }
  },
);
