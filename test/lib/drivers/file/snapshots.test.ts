import { constants, copyFile, mkdtemp, open, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CommandError } from '../../../../lib/command-error.ts';
import { FileDriver, type FileOptions } from '../../../../lib/drivers/file/driver.ts';
import { partOf } from '../../../../lib/drivers/file/pool-files.ts';
import { ChildProcesses, type RunOptions, type RunResult } from '../../../../lib/process.ts';
import { readBlock, writeBlock } from '../data.ts';
import { foundAsSnapshot, resized, snapshotOf, spec } from '../subject.ts';

const miB = 2 ** 20;

/** Runs a copy after the test has done something, or in place of it. */
class InterceptedCopies extends ChildProcesses {
  readonly #meet: (part: string, options: RunOptions) => Promise<'done' | 'copy'>;

  constructor(meet: (part: string, options: RunOptions) => Promise<'done' | 'copy'>) {
    super();
    this.#meet = meet;
  }

  override async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const word = args.includes('cp') ? await this.#meet(args.at(-1) ?? '', options) : 'copy';
    return word === 'copy' ? super.run(command, args, options) : { stdout: '', stderr: '' };
  }
}

function failedCopy(stderr: string): CommandError {
  return new CommandError({
    command: 'cp',
    exitCode: 1,
    signal: undefined,
    timedOut: false,
    cancelled: false,
    notFound: false,
    stdout: '',
    stderr,
  });
}

async function pool(t: ExecutionContext, options: Partial<FileOptions> = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-driver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const driver = new FileDriver({ directory, ...options });
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  await writeBlock(driver.localPath(volume), 0, Buffer.alloc(miB, 'data'));
  const beginning = async (name: string) => Buffer.from(await readBlock(path.join(directory, name), 0, 4)).toString();
  return { directory, driver, volume, beginning, names: async () => (await readdir(directory)).toSorted() };
}

/** Where files share blocks, nothing is copied. */
async function sharesBlocks(t: ExecutionContext, directory: string): Promise<boolean> {
  const [one, other] = [path.join(directory, 'one'), path.join(directory, 'other')];
  await writeFile(one, 'data');
  const shares = await copyFile(one, other, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  );
  if (shares) t.log('the file system of the temporary directory has reflinks');
  for (const file of [one, other]) await rm(file, { force: true });
  return shares;
}

test('concurrent snapshots, clones and extensions use the space of a pool once, and deletes return it', async (t) => {
  const { driver, volume } = await pool(t, { poolBytes: 300 * miB });
  const list = Array.from({ length: 4 }, () => snapshotOf(volume));
  const copy = spec();
  const ended = await Promise.allSettled([
    ...list.map((one) => driver.snapshots.createSnapshot(one)),
    driver.cloneVolume(copy, volume),
    driver.extendVolume({ ...volume, sizeBytes: 200 * miB }),
  ]);
  t.is(ended.filter(({ status }) => status === 'fulfilled').length, 2);
  for (const one of ended) if (one.status === 'rejected') t.like(one.reason, { code: 'NoSpace' });
  t.is((await driver.stats()).freeBytes, 0);
  for (const one of list) await driver.snapshots.deleteSnapshot(one);
  for (const one of [copy, volume]) await driver.deleteVolume(one);
  t.like(await driver.stats(), { freeBytes: 300 * miB, volumeBytes: 0 });
});

test('the next daemon finds the snapshots, counts their space, and they are no volumes', async (t) => {
  const { directory, driver, volume } = await pool(t);
  const snapshot = snapshotOf(volume);
  await driver.snapshots.createSnapshot(snapshot);
  const next = new FileDriver({ directory, poolBytes: 300 * miB });
  await next.setup();
  t.deepEqual(await next.snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
  t.deepEqual(
    (await next.listVolumes()).map(({ id }) => id),
    [volume.id],
  );
  t.like(await next.stats(), { freeBytes: 100 * miB, volumeBytes: 100 * miB });
});

test.serial('a snapshot and a clone are sparse, and readable only by their owner', async (t) => {
  const { directory, driver, volume, names, beginning } = await pool(t);
  const [snapshot, copy] = [snapshotOf(volume), spec({ size: 1 })];
  await driver.snapshots.createSnapshot(snapshot);
  await driver.cloneVolume(copy, volume);
  for (const name of [`snapshot-${snapshot.id}`, `volume-${copy.id}`]) {
    const { blocks } = await stat(path.join(directory, name));
    t.true(blocks * 512 < 2 * miB, name);
    t.is(await beginning(name), 'data');
  }
  t.is((await stat(driver.localPath(copy))).size, copy.sizeBytes);
  for (const name of await names()) t.is((await stat(path.join(directory, name))).mode & 0o077, 0, name);
});

test('a file with the name of a snapshot, but without its labels, is not adopted, not used and not removed', async (t) => {
  const { directory, driver, volume } = await pool(t);
  const snapshot = snapshotOf(volume);
  const file = path.join(directory, `snapshot-${snapshot.id}`);
  await writeFile(file, 'theirs');
  const { snapshots } = driver;
  await t.throwsAsync(snapshots.createSnapshot(snapshot), { code: 'SnapshotExists', message: /not labelled/ });
  await t.throwsAsync(snapshots.createFromSnapshot(spec(), snapshot), { code: 'SnapshotUnusable' });
  await t.throwsAsync(snapshots.deleteSnapshot(snapshot), { code: 'SnapshotBusy', message: /not labelled.*rm / });
  t.false(await snapshots.hasSnapshot(snapshot));
  t.is(await readFile(file, 'utf8'), 'theirs');
  const unusable = 'it is not labelled as a snapshot of blockstore';
  t.deepEqual(await snapshots.listSnapshots(), [{ id: snapshot.id, volumeId: '', sizeBytes: 6, labels: {}, unusable }]);
});

test('a snapshot whose labels are damaged, or whose file is too short, is unusable and can be deleted', async (t) => {
  const { directory, driver, volume, names } = await pool(t);
  const snapshot = snapshotOf(volume);
  const { snapshots } = driver;
  await snapshots.createSnapshot(snapshot);
  const before = await names();
  await writeFile(path.join(directory, `snapshot-${snapshot.id}.json`), '{');
  t.regex((await snapshots.listSnapshots())[0]?.unusable ?? '', /labels cannot be read: .*: it is damaged$/);
  await truncate(path.join(directory, `snapshot-${snapshot.id}`), 5);
  t.false(await snapshots.hasSnapshot(snapshot));
  const expected = { code: 'SnapshotUnusable', message: /5 bytes/ };
  await t.throwsAsync(snapshots.createFromSnapshot(spec(), snapshot), expected);
  await t.throwsAsync(snapshots.createSnapshot(snapshot), expected);
  t.deepEqual(await names(), before);
  await snapshots.deleteSnapshot(snapshot);
  t.deepEqual(await snapshots.listSnapshots(), []);
});

test('without reflinks a volume that is open for writing is not copied, and one that is read is', async (t) => {
  const { directory, driver, volume, names } = await pool(t);
  if (await sharesBlocks(t, directory)) {
    t.pass();
    return;
  }
  const before = await names();
  const expected = { code: 'VolumeBusy', message: /^volume .* open in .*process \d+/ };
  const writer = await open(driver.localPath(volume), 'r+');
  try {
    await t.throwsAsync(driver.snapshots.createSnapshot(snapshotOf(volume)), expected);
    await t.throwsAsync(driver.cloneVolume(spec(), volume), expected);
    t.deepEqual(await names(), before);
  } finally {
    await writer.close();
  }
  const reader = await open(driver.localPath(volume), 'r');
  try {
    await driver.snapshots.createSnapshot(snapshotOf(volume));
  } finally {
    await reader.close();
  }
});

test('without reflinks a copy during which the volume was written to is refused and leaves nothing', async (t) => {
  let file = '';
  const processes = new InterceptedCopies(async () => {
    await writeBlock(file, 50 * miB, Buffer.from('meanwhile'));
    return 'copy';
  });
  const { directory, driver, volume, names } = await pool(t, { processes });
  if (await sharesBlocks(t, directory)) {
    t.pass();
    return;
  }
  file = driver.localPath(volume);
  const before = await names();
  const expected = { code: 'VolumeBusy', message: /was written to during the copy/ };
  await t.throwsAsync(driver.snapshots.createSnapshot(snapshotOf(volume)), expected);
  await t.throwsAsync(driver.cloneVolume(spec(), volume), expected);
  t.deepEqual(await names(), before);
});

test('a copy that fails leaves nothing and returns its space; a full file system is NoSpace', async (t) => {
  const failures = [failedCopy("cp: error writing 'x': No space left on device"), failedCopy('cp: Input/output error')];
  const processes = new InterceptedCopies(async (part) => {
    await writeFile(part, 'half');
    const failure = failures.shift();
    if (failure) throw failure;
    return 'copy';
  });
  const { directory, driver, volume, names, beginning } = await pool(t, { processes, poolBytes: 200 * miB });
  if (await sharesBlocks(t, directory)) {
    t.pass();
    return;
  }
  const before = await names();
  const snapshot = snapshotOf(volume);
  const { snapshots } = driver;
  await t.throwsAsync(snapshots.createSnapshot(snapshot), { code: 'NoSpace', message: /takes no more files/ });
  await t.throwsAsync(snapshots.createSnapshot(snapshot), { code: 'CommandFailed', message: /Input\/output error/ });
  t.deepEqual(await names(), before);
  t.is((await driver.stats()).freeBytes, 100 * miB);
  await snapshots.createSnapshot(snapshot);
  t.is(await beginning(`snapshot-${snapshot.id}`), 'data');
});

test('a copy reports its progress, and one that is cancelled leaves nothing', async (t) => {
  const { promise: reported, resolve } = Promise.withResolvers<number>();
  const cancel = new AbortController();
  const processes = new InterceptedCopies(async (part, { signal }) => {
    await writeFile(part, Buffer.alloc(miB / 2, 'half'), { flush: true });
    if (signal) cancel.abort(new Error('lease lost'));
    signal?.throwIfAborted();
    await reported;
    return 'copy';
  });
  const { directory, driver, volume, names } = await pool(t, { processes });
  if (await sharesBlocks(t, directory)) {
    t.pass();
    return;
  }
  const before = await names();
  const cancelled = driver.cloneVolume(spec(), volume, { signal: cancel.signal });
  await t.throwsAsync(cancelled, { message: 'lease lost' });
  t.deepEqual(await names(), before);
  const percents: number[] = [];
  const progress = (percent: number) => {
    percents.push(percent);
    resolve(percent);
  };
  await driver.snapshots.createSnapshot(snapshotOf(volume), { progress });
  t.is(percents.at(-1), 100);
  t.true((percents[0] ?? 100) > 0 && (percents[0] ?? 100) < 100, String(percents));
});

test('what an interrupted copy left is neither volume nor snapshot, and the next call or start removes it', async (t) => {
  const { directory, driver, volume, names, beginning } = await pool(t);
  const [snapshot, copy] = [snapshotOf(volume), spec()];
  const before = await names();
  const leave = async () => {
    for (const name of [`snapshot-${snapshot.id}`, `volume-${copy.id}`]) {
      await writeFile(partOf(path.join(directory, name)), 'half');
    }
  };
  await leave();
  t.false(await driver.hasVolume(copy));
  t.false(await driver.snapshots.hasSnapshot(snapshot));
  t.deepEqual(await driver.snapshots.listSnapshots(), []);
  t.is((await driver.listVolumes()).length, 1);
  await driver.snapshots.createSnapshot(snapshot);
  await driver.cloneVolume(copy, volume);
  for (const name of [`snapshot-${snapshot.id}`, `volume-${copy.id}`]) t.is(await beginning(name), 'data');
  await driver.snapshots.deleteSnapshot(snapshot);
  await driver.deleteVolume(copy);
  t.deepEqual(await names(), before);
  await leave();
  await driver.deleteVolume(copy);
  await new FileDriver({ directory }).setup();
  t.deepEqual(await names(), before);
});

test('a start while a copy is under way does not remove it', async (t) => {
  const { promise: copying, resolve: begin } = Promise.withResolvers<void>();
  const { promise: again, resolve: goOn } = Promise.withResolvers<void>();
  const processes = new InterceptedCopies(async (part) => {
    await writeFile(part, 'half');
    begin();
    await again;
    return 'done';
  });
  const { directory, driver, volume } = await pool(t, { processes });
  if (await sharesBlocks(t, directory)) {
    t.pass();
    return;
  }
  const snapshot = snapshotOf(volume);
  const creating = driver.snapshots.createSnapshot(snapshot);
  await copying;
  await driver.setup();
  goOn();
  await creating;
  t.true(await driver.snapshots.hasSnapshot(snapshot));
});

test('what a volume has behind its recorded size is in no copy of it', async (t) => {
  const { driver, volume } = await pool(t);
  const larger = resized(volume, 1);
  await driver.extendVolume(larger);
  await writeBlock(driver.localPath(volume), volume.sizeBytes, Buffer.from('behind'));
  const copy = spec({ size: 1 });
  await driver.cloneVolume(copy, volume);
  t.deepEqual(await readBlock(driver.localPath(copy), volume.sizeBytes, 6), Buffer.alloc(6));
});
