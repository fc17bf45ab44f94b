import assert from 'node:assert/strict';
import { constants, type FileHandle, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { VolumeSpec } from '../../lib/drivers/driver.ts';
import { deviceName } from '../../lib/drivers/lvm/device-name.ts';
import type { LvmDriver } from '../../lib/drivers/lvm/driver.ts';
import { errorCode } from '../../lib/files.ts';
import { spec } from '../lib/drivers/conformance.ts';
import { snapshotOf } from '../lib/drivers/subject.ts';
import { until } from '../support/until.ts';
import { lvmTypeOf } from './lvm-kind.ts';
import { LvmMachine, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-together-cases.ts thick|thin <disk of 4 GiB> <another>. Snapshots of several volumes at one
// moment, which hosts write to.

const [type, disk = '', otherDisk = ''] = process.argv.slice(2);
const lvmType = lvmTypeOf(type);
const machine = new LvmMachine(disk, otherDisk);
const blockBytes = 4096;
const rounds = 20;

async function prepare(count: number): Promise<{ driver: LvmDriver; volumes: VolumeSpec[] }> {
  const driver = machine.driver({ lvmType, volumeClear: 'none' });
  await driver.setup();
  const volumes = Array.from({ length: count }, () => spec());
  for (const volume of volumes) await driver.createVolume(volume);
  return { driver, volumes };
}

/** A block whose memory has the alignment that O_DIRECT requires: found by trying. */
async function alignedBlock(file: FileHandle): Promise<Buffer> {
  const memory = Buffer.alloc(2 * blockBytes);
  for (let offset = 0; offset < blockBytes; offset += 8) {
    const block = memory.subarray(offset, offset + blockBytes);
    try {
      await file.write(block, 0, blockBytes, 0);
      return block;
    } catch (error) {
      if (errorCode(error) !== 'EINVAL') throw error;
    }
  }
  throw new Error('no alignment will do');
}

/** Writes 1 to the first device, then to the second, and so on, then 2: each when the last write has reached its device. */
class Writer {
  count = 0;
  longestMs = 0;
  private isStopping = false;
  private ended: Promise<void> = Promise.resolve();

  async start(devices: readonly string[]): Promise<void> {
    const files = await Promise.all(devices.map((device) => open(device, constants.O_WRONLY | constants.O_DIRECT)));
    const blocks = await Promise.all(files.map(alignedBlock));
    this.ended = this.run(files, blocks);
    await until(async () => this.count > 0, 'the writer writes');
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.ended;
  }

  private async run(files: readonly FileHandle[], blocks: readonly Buffer[]): Promise<void> {
    while (!this.isStopping) {
      const begin = performance.now();
      const next = this.count + 1;
      for (const [index, file] of files.entries()) {
        const block = blocks[index] ?? Buffer.alloc(0);
        block.writeUInt32LE(next, 0);
        await file.write(block, 0, blockBytes, 0);
      }
      this.count = next;
      this.longestMs = Math.max(this.longestMs, performance.now() - begin);
    }
    for (const file of files) await file.close();
  }
}

async function counterOn(device: string): Promise<number> {
  const file = await open(device, constants.O_RDONLY);
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  await file.close();
  return buffer.readUInt32LE(0);
}

/** Those of the volumes that are suspended, by their devices. */
async function suspended(): Promise<string[]> {
  const rows = await machine.sh('dmsetup info -c --noheadings --separator / -o name,suspended');
  return rows.split('\n').flatMap((row) => (row.endsWith('/Suspended') ? [row.slice(0, -'/Suspended'.length)] : []));
}

function deviceOf({ id }: VolumeSpec): string {
  return deviceName(`${group}/volume-${id}`);
}

const list: readonly LvmCase[] = [
  {
    title: `${rounds} snapshots of three volumes under load, each written after the last one, are of one moment each`,
    run: async () => {
      const { driver, volumes } = await prepare(3);
      const writer = new Writer();
      await writer.start(volumes.map((volume) => driver.localPath(volume)));
      let before = 0;
      for (let round = 0; round < rounds; round += 1) {
        const snapshots = volumes.map((volume) => snapshotOf(volume));
        const least = writer.count;
        await driver.snapshots.createSnapshots(snapshots);
        const most = writer.count + 1;
        const counters: number[] = [];
        for (const one of snapshots) counters.push(await counterOn((await driver.snapshots.openSnapshot(one)).path));
        const [first = 0, ...others] = counters;
        const isOrdered = counters.every((one, index) => index === 0 || one <= (counters[index - 1] ?? 0));
        assert.ok(isOrdered && others.every((one) => one >= first - 1), `round ${round}: ${counters.join(' ')}`);
        assert.ok(first >= least && first <= most, `${first} is between ${least} and ${most}`);
        assert.ok(first > before, 'the writer goes on');
        before = first;
        for (const one of snapshots) await driver.snapshots.deleteSnapshot(one);
        assert.deepEqual(await suspended(), []);
      }
      await writer.stop();
      process.stdout.write(`# ${writer.count} writes to each; the longest took ${Math.round(writer.longestMs)} ms\n`);
      for (const volume of volumes) assert.equal(await counterOn(driver.localPath(volume)), writer.count);
      for (const volume of volumes) await driver.deleteVolume(volume);
      assert.deepEqual(await machine.logicalVolumeNames(), []);
    },
  },
  {
    title: 'a start resumes what an earlier daemon has suspended, and no other device',
    run: async () => {
      const { driver, volumes } = await prepare(3);
      const [first, second, foreign] = volumes.map(deviceOf);
      await machine.sh(`dmsetup suspend ${first} ${second} ${foreign}`);
      await writeFile(path.join(machine.stateDir, 'paused'), `${first}\n${second}\n`);
      await driver.close();
      const next = machine.driver({ lvmType });
      await next.resumePaused();
      assert.deepEqual(await suspended(), [foreign]);
      await next.setup(); // which activates all volumes
      await machine.sh(`dmsetup suspend ${foreign}`);
      const snapshots = volumes.map((volume) => snapshotOf(volume));
      await assert.rejects(next.snapshots.createSnapshots(snapshots), {
        code: 'VolumeBusy',
        message: new RegExp(`dmsetup resume ${foreign}`),
      });
      assert.deepEqual(await suspended(), [foreign]);
      await machine.sh(`dmsetup resume ${foreign}`);
      await next.snapshots.createSnapshots(snapshots);
      for (const one of snapshots) assert.equal(await next.snapshots.hasSnapshot(one), true);
    },
  },
  {
    title: 'snapshots of which one cannot be taken leave no volume suspended, and are deleted',
    run: async () => {
      const { driver, volumes } = await prepare(3);
      const snapshots = volumes.map((volume) => snapshotOf(volume));
      const [, second] = snapshots;
      await machine.sh(`lvm lvcreate -qy -Wn -Zn -L 4m -n snap-${second?.id} ${group} || true`);
      await assert.rejects(driver.snapshots.createSnapshots(snapshots), { code: 'SnapshotBusy' });
      assert.deepEqual(await suspended(), []);
      await machine.sh(`lvm lvremove -qy ${group}/snap-${second?.id}`);
      await driver.snapshots.createSnapshots(snapshots);
      for (const one of snapshots) await driver.snapshots.deleteSnapshot(one);
      assert.deepEqual(await driver.snapshots.listSnapshots(), []);
      // As a daemon leaves it that is killed between the two messages to the pool.
      if (lvmType === 'thick') return;
      await driver.snapshots.createSnapshots(snapshots);
      const name = `snap-${second?.id}`;
      const pool = `${group.replaceAll('-', '--')}-blockstore--pool-tpool`;
      const number = await machine.sh(`lvm lvs --noheadings -o thin_id ${group}/${name}`);
      await machine.sh(`dmsetup message ${pool} 0 'delete ${number}'`);
      for (const one of snapshots) await driver.snapshots.deleteSnapshot(one);
      for (const volume of volumes) await driver.deleteVolume(volume);
      assert.deepEqual(await machine.logicalVolumeNames(), []);
    },
  },
];

await runCases(
  machine,
  list.map(({ title, run }) => ({ title: `${lvmType}: ${title}`, run })),
);
