import assert from 'node:assert/strict';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { FileDriver } from '../../lib/drivers/file/driver.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { until } from '../support/until.ts';
import { casesOf } from '../lib/drivers/conformance.ts';
import { readBlock, writeBlock } from '../lib/drivers/data.ts';
import { snapshotOf, spec } from '../lib/drivers/subject.ts';

// Runs on a machine: node test/lab/file-cases.ts <directory on a file system with reflinks, of 3 to 5 GiB>. Prints "ok" or "not ok".

const miB = 2 ** 20;
const directory = path.join(process.argv[2] ?? '', 'volumes');

/** Nothing is copied block by block. */
class NoCopies extends ChildProcesses {
  override async run(command: string): Promise<never> {
    throw new Error(`${command} was started`);
  }
}

async function inPool(title: string, run: (driver: FileDriver) => Promise<void>, poolBytes?: number): Promise<void> {
  await mkdir(directory);
  const processes = new NoCopies();
  const driver = new FileDriver({ directory, processes, ...(poolBytes === undefined ? {} : { poolBytes }) });
  try {
    await driver.setup();
    await run(driver);
    process.stdout.write(`ok ${title}\n`);
  } catch (error) {
    process.exitCode = 1;
    process.stdout.write(`not ok ${title}\n${error instanceof Error ? error.stack : String(error)}\n`);
  }
  await driver.close();
  await rm(directory, { recursive: true });
}

for (const { title, run } of casesOf({ driver: new FileDriver({ directory }) })) {
  const data = { write: writeBlock, read: readBlock };
  await inPool(title, (driver) => run({ driver, sizeGiB: 2, ...data }), 2.5 * 2 ** 30);
}

await inPool(
  'a snapshot of a volume that is written to has each write until its moment, and none later',
  async (driver) => {
    const [volume, restored] = [spec(), spec()];
    const snapshot = snapshotOf(volume);
    await driver.createVolume(volume);
    const file = await open(driver.localPath(volume), 'r+');
    const state = { written: 0, isTaken: false };
    const writing = async () => {
      while (!state.isTaken || state.written < 200) {
        await file.write(Buffer.alloc(4096, 1), 0, 4096, state.written * 4096);
        state.written += 1;
      }
    };
    const snap = async () => {
      await until(() => state.written >= 50, 'some blocks are written');
      const before = state.written;
      await driver.snapshots.createSnapshot(snapshot);
      state.isTaken = true;
      return before;
    };
    const [before] = await Promise.all([snap(), writing()]);
    await file.close();
    await driver.snapshots.createFromSnapshot(restored, snapshot);
    const bytes = Buffer.from(await readBlock(driver.localPath(restored), 0, state.written * 4096));
    const end = bytes.indexOf(0) < 0 ? bytes.length : bytes.indexOf(0);
    assert.ok(end / 4096 >= before, `${end / 4096} of ${before} blocks`);
    assert.equal(end % 4096, 0);
    assert.ok(
      bytes.subarray(end).every((byte) => byte === 0),
      'a later write is in the snapshot, and an earlier one is not',
    );
  },
);

await inPool('shared blocks are counted once: the space of a file system is never given out twice', async (driver) => {
  const volume = spec({ size: 1 });
  await driver.createVolume(volume);
  const before = await driver.stats();
  for (let offset = 0; offset < 512 * miB; offset += 64 * miB) {
    await writeBlock(driver.localPath(volume), offset, Buffer.alloc(64 * miB, 'data'));
  }
  await driver.snapshots.createSnapshot(snapshotOf(volume));
  const fresh = new FileDriver({ directory });
  await fresh.setup();
  const taken = before.freeBytes - (await fresh.stats()).freeBytes;
  assert.ok(taken > 960 * miB && taken < 1100 * miB, `${taken / miB} MiB for a snapshot of 1024 MiB`);
});
