import { mkdtemp, open, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { hasSwap } from '../../../../lib/devices/file-users.ts';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { foundAs, spec } from '../conformance.ts';

test('the next daemon finds the volumes, sparse files take no space, and other files are not touched', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await writeFile(path.join(directory, 'notes'), 'mine');
  const volume = spec({ size: 3 });
  const first = new FileDriver({ directory, poolBytes: 4 * 2 ** 30 });
  await first.setup();
  await first.createVolume(volume);
  const second = new FileDriver({ directory, poolBytes: 4 * 2 ** 30 });
  await second.setup();
  t.deepEqual(await second.listVolumes(), [foundAs(volume)]);
  await t.throwsAsync(second.createVolume(spec({ size: 2 })), { code: 'NoSpace' });
  const file = await stat(second.localPath(volume));
  t.is(file.size, volume.sizeBytes);
  t.true(file.blocks * 512 < 2 ** 20);
});

test.serial('pool and volumes are readable only by their owner, whatever the umask', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const before = process.umask(0);
  t.teardown(() => process.umask(before));
  const driver = new FileDriver({ directory: path.join(directory, 'pool') });
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  t.is((await stat(path.join(directory, 'pool'))).mode & 0o777, 0o700);
  for (const name of await readdir(path.join(directory, 'pool'))) {
    t.is((await stat(path.join(directory, 'pool', name))).mode & 0o077, 0, name);
  }
});

test('a pool that is a file, is below one, or is a link to nothing is named with its flag', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await writeFile(path.join(directory, 'file'), '');
  await symlink(path.join(directory, 'nothing'), path.join(directory, 'link'));
  for (const name of ['file', 'file/below', 'link']) {
    const pool = path.join(directory, name);
    const expected = {
      code: 'StorageUnusable',
      message: `${pool} cannot hold volumes: it is not a directory, and cannot be made one`,
    };
    await t.throwsAsync(new FileDriver({ directory: pool }).setup(), expected);
  }
});

test('a pool is of one node at a time', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const processes = new ChildProcesses();
  const driver = (node: string) => new FileDriver({ directory, lock: { node, processes } });
  const [one, same, other] = [driver('n1'), driver('n1'), driver('n2')];
  await one.setup();
  await t.throwsAsync(other.setup(), {
    code: 'StorageUnusable',
    message: `node "n1" has its volumes in the directory ${directory}`,
  });
  await one.setup();
  await same.setup();
  await same.close();
  await one.close();
  await other.setup();
  await other.close();
});

test('swap on a file whose name has spaces is found', (t) => {
  const swaps = 'Filename\tType\n/var/my\\040pool/volume-1 file\t\t1020\t0\t-2\n';
  t.true(hasSwap(swaps, '/var/my pool/volume-1'));
  t.false(hasSwap(swaps, '/var/my pool/volume-2'));
});

test('the data of a volume survives a repeated create', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const driver = new FileDriver({ directory: path.join(directory, 'pool') });
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  await writeFile(driver.localPath(volume), 'data', { flag: 'r+' });
  await driver.createVolume(volume);
  t.is((await stat(driver.localPath(volume))).size, volume.sizeBytes);
  t.true((await stat(driver.localPath(volume))).blocks > 0);
});

test('a volume whose file is open is VolumeBusy, keeps its data and labels, and is deleted by a later attempt', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const driver = new FileDriver({ directory });
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  const file = await open(driver.localPath(volume));
  try {
    await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /open in .*process \d+/ });
    t.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
  } finally {
    await file.close();
  }
  await driver.deleteVolume(volume);
  t.deepEqual(await driver.listVolumes(), []);
});

test('a file with the name of a volume, but without its labels, is never adopted', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const [early, late] = [spec(), spec()];
  const driver = new FileDriver({ directory });
  await writeFile(driver.localPath(early), 'theirs');
  await driver.setup();
  await writeFile(driver.localPath(late), 'theirs');
  for (const volume of [early, late]) {
    await t.throwsAsync(driver.createVolume(volume), { code: 'VolumeExists', message: /not labelled/ });
    t.is(await readFile(driver.localPath(volume), 'utf8'), 'theirs');
  }
});
