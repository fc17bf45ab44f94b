import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { checkCluster } from '../../../../lib/drivers/sheepdog/check.ts';
import { ChildProcesses, type RunOptions } from '../../../../lib/process.ts';
import { SheepdogDriver } from '../../../../lib/drivers/sheepdog/driver.ts';
import { FakeSheepdog } from '../../../support/fake-sheepdog.ts';
import { foundAs, spec } from '../conformance.ts';

const gib = 2 ** 30;
const processes = new ChildProcesses();

async function setUp(sizeBytes = 10 * gib) {
  const cluster = await FakeSheepdog.start(sizeBytes);
  const driver = cluster.driver();
  await driver.setup();
  return { cluster, driver, where: `127.0.0.1:${cluster.port}` };
}

/** Child processes with another search path, which has nothing but these names of the stand-in. */
class OnlyThese extends ChildProcesses {
  readonly commands: string[] = [];
  private readonly directory: string;

  constructor(directory: string) {
    super();
    this.directory = directory;
  }

  override run(command: string, args: readonly string[], options: RunOptions = {}) {
    this.commands.push(command);
    return super.run(command, args, { ...options, env: { ...options.env, PATH: `${this.directory}:/usr/bin:/bin` } });
  }
}

test('the driver has an identity of its cluster, whatever the time zone, and local paths that no target exports', async (t) => {
  const { driver } = await setUp();
  t.like(driver.capabilities, { snapshots: true, clones: true, extend: true, thin: true });
  t.is(driver.capabilities.shared, 'sheepdog:2013-06-25T19:51:41.000Z');
  const volume = spec();
  t.is(driver.localPath(volume), `sheepdog:volume-${volume.id}`);
});

test('before Sheepdog 0.8 the command is collie, which is looked for once', async (t) => {
  const cluster = await FakeSheepdog.start(gib);
  const directory = await mkdtemp(path.join(tmpdir(), 'collie-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await symlink(path.join(cluster.directory, 'dog'), path.join(directory, 'collie'));
  await symlink(path.join(cluster.directory, String(cluster.port)), path.join(directory, String(cluster.port)));
  const old = new OnlyThese(directory);
  const driver = new SheepdogDriver(cluster.options(), { processes: old });
  await driver.setup();
  await driver.createVolume(spec());
  t.is((await driver.listVolumes()).length, 1);
  t.deepEqual([...new Set(old.commands.slice(1))], ['collie']);
  t.is(old.commands[0], 'dog');
  await unlink(path.join(directory, 'collie'));
  await t.throwsAsync(driver.setup(), {
    code: 'CommandNotFound',
    message: `the command dog (before Sheepdog 0.8: collie) for the Sheepdog cluster at 127.0.0.1:${cluster.port} is not installed`,
  });
});

test('a cluster that is down, not formatted or not complete is one error for setup, stats, check and verbs', async (t) => {
  const { cluster, driver, where } = await setUp();
  const volume = spec();
  await driver.createVolume(volume);
  const snapshot = { id: spec().id, volume, labels: {} };
  await cluster.set('down');
  const down = {
    code: 'SheepdogUnavailable',
    message: `the Sheepdog cluster at ${where} does not answer: failed to connect to ${where}: Connection refused`,
  };
  await t.throwsAsync(driver.setup(), down);
  await t.throwsAsync(driver.stats(), down);
  await t.throwsAsync(checkCluster(cluster.options(), processes), down);
  await t.throwsAsync(driver.listVolumes(), down);
  await t.throwsAsync(driver.createVolume(spec()), down);
  await t.throwsAsync(driver.hasVolume(volume), down);
  await t.throwsAsync(driver.deleteVolume(volume), down, 'dog ends with 0');
  await t.throwsAsync(driver.snapshots.createSnapshot(snapshot), down);
  await cluster.unset('down');
  for (const [control, hint] of [
    ['unformatted', /dog cluster format/],
    ['waiting', /start sheep on the other nodes/],
  ] as const) {
    await cluster.set(control);
    const error = await t.throwsAsync(driver.setup(), { code: 'SheepdogUnavailable', message: /Waiting for/ });
    t.true(
      error?.message.startsWith(`the Sheepdog cluster at ${where} does not serve: "Waiting for`),
      'dog ends with 0',
    );
    t.regex(String(error && 'hint' in error && error.hint), hint);
    await t.throwsAsync(driver.stats(), { code: 'SheepdogUnavailable' });
    await cluster.unset(control);
  }
  await driver.setup();
  t.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
});

test('a change that dog reports as made, and is not, is an error that names image and cluster', async (t) => {
  const { cluster, driver, where } = await setUp();
  const volume = spec();
  const name = `volume-${volume.id}`;
  await cluster.set('refuse-create');
  await t.throwsAsync(driver.createVolume(volume), {
    code: 'SheepdogFailed',
    message: `"dog vdi create ${name} 104857600" failed at the Sheepdog cluster ${where}: it reports success, but changed nothing`,
  });
  await cluster.unset('refuse-create');
  await cluster.set('refuse-setattr');
  await t.throwsAsync(driver.createVolume(volume), { code: 'SheepdogFailed', message: /vdi setattr volume-/ });
  t.false(await driver.hasVolume(volume));
  t.deepEqual(await driver.listVolumes(), []);
  await cluster.unset('refuse-setattr');
  t.true((await driver.createVolume(volume)).isNew, 'it is finished');
  await cluster.set('refuse-delete');
  await t.throwsAsync(driver.deleteVolume(volume), {
    code: 'SheepdogFailed',
    message: `"dog vdi delete ${name}" failed at the Sheepdog cluster ${where}: Failed to delete ${name}: I/O error`,
  });
  t.true(await driver.hasVolume(volume));
  await cluster.unset('refuse-delete');
  await driver.deleteVolume(volume);
  t.is(await cluster.violations(), '');
});

test('half a list is an error: a volume that it omits is not taken for deleted', async (t) => {
  const { cluster, driver, where } = await setUp();
  const volume = spec();
  await driver.createVolume(volume);
  await cluster.set('half');
  const half = {
    code: 'AnswerUnreadable',
    message: new RegExp(`^"dog vdi list -r" at the Sheepdog cluster ${where} `),
  };
  await t.throwsAsync(driver.listVolumes(), half);
  await t.throwsAsync(driver.deleteVolume(volume), half);
  await cluster.unset('half');
  t.true(await driver.hasVolume(volume));
});

test('images of others are not listed, adopted, labelled or deleted, also with the name of a volume', async (t) => {
  const { cluster, driver } = await setUp();
  const volume = spec({ size: 1 });
  const name = `volume-${volume.id}`;
  await cluster.dog('vdi', 'create', 'two words\\', '10M');
  await cluster.dog('vdi', 'create', name, '1G');
  await cluster.write(name, 0, 'theirs');
  t.deepEqual(await driver.listVolumes(), []);
  await t.throwsAsync(driver.createVolume(volume), {
    code: 'VolumeExists',
    message: /sheepdog:volume-.* not labelled/,
  });
  const relabel = (await driver.relabelCommand(volume)) ?? '';
  t.regex(relabel, /^dog vdi setattr -a 127\.0\.0\.1 -p \d+ volume-\S+ blockstore '\S+'$/);
  await t.throwsAsync(driver.ensureVolume(volume), { code: 'StorageMissing', message: /exists without it$/ });
  await t.throwsAsync(driver.labelVolume(volume), { code: 'StorageMissing' });
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /no label of blockstore/ });
  const snapshot = { id: spec().id, volume, labels: {} };
  await t.throwsAsync(driver.snapshots.createSnapshot(snapshot), { code: 'StorageMissing' });
  t.is(await cluster.read(name, 0, 6), 'theirs');
  await promisify(execFile)('sh', ['-c', relabel]);
  t.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
  t.is(await driver.relabelCommand(volume), undefined);
});

test('a volume that grows keeps its data, never shrinks, and needs the space', async (t) => {
  const { cluster, driver } = await setUp(4 * gib);
  const volume = spec({ size: 1 });
  const name = `volume-${volume.id}`;
  const sized = (size: number) => ({ ...volume, size, sizeBytes: size * gib });
  await t.throwsAsync(driver.extendVolume(volume), { code: 'StorageMissing' });
  await driver.createVolume(volume);
  await cluster.write(name, 5 * 2 ** 20, 'data');
  await driver.extendVolume(sized(3));
  await driver.extendVolume(sized(3));
  await driver.extendVolume(sized(2));
  t.is((await driver.listVolumes())[0]?.sizeBytes, 3 * gib);
  t.is(await cluster.read(name, 5 * 2 ** 20, 4), 'data');
  await t.throwsAsync(driver.extendVolume(sized(5)), { code: 'NoSpace' });
  await t.throwsAsync(driver.extendVolume(sized(4097)), { code: 'InvalidArgument', message: /4 TiB/ });
  await t.throwsAsync(driver.createVolume(spec({ size: 4097 })), { code: 'InvalidArgument' });
});

test('what others have written is not free, and what volumes have written counts once', async (t) => {
  const copies = 2;
  const cluster = await FakeSheepdog.start(copies * 10 * gib, copies);
  const driver = cluster.driver(copies);
  const volume = spec({ size: 2 });
  await driver.createVolume(volume);
  const before = { totalBytes: 10 * gib, freeBytes: 8 * gib, volumeBytes: 2 * gib, acceptsCreates: true };
  t.deepEqual(await driver.stats(), before);
  await cluster.write(`volume-${volume.id}`, 0, 'own data');
  t.deepEqual(await driver.stats(), before);
  await cluster.dog('vdi', 'create', 'other', '1G');
  await cluster.write('other', 0, 'data of others');
  t.deepEqual(await driver.stats(), { ...before, freeBytes: 8 * gib - 2 ** 22 });
});

test('doctor names the cluster, and a number of copies that is not that of the images', async (t) => {
  const cluster = await FakeSheepdog.start(gib, 2);
  const check = (copies: number) => checkCluster(cluster.options(copies), processes);
  await cluster.driver(2).createVolume(spec());
  const running = {
    level: 'ok',
    message: `Sheepdog cluster at 127.0.0.1:${cluster.port}: running, auto-recovery enabled`,
  };
  t.like(await check(2), [running]);
  t.like((await check(3))[1], { level: 'warn' });
});
