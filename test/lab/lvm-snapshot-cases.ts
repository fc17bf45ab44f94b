import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { overwrite as copyDiffering } from '../../lib/devices/overwrite.ts';
import { ChildProcesses } from '../../lib/process.ts';
import type { VolumeSpec } from '../../lib/drivers/driver.ts';
import type { LvmDriver } from '../../lib/drivers/lvm/driver.ts';
import type { LvmOptions } from '../../lib/drivers/lvm/parts.ts';
import type { SnapshotSpec } from '../../lib/drivers/snapshots.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { LvmMachine, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-snapshot-cases.ts <disk of 4 GiB> <another>. Thick snapshots and full copies.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

const miB = 2 ** 20;
const places = [0, 50 * miB, 100 * miB - 4096];

async function prepare(options: Partial<LvmOptions> = {}): Promise<{ driver: LvmDriver; volume: VolumeSpec }> {
  const driver = machine.driver(options);
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  await machine.write(driver.localPath(volume), 'first', places);
  return { driver, volume };
}

function snapshotOf(volume: VolumeSpec): SnapshotSpec {
  return { id: randomUUID(), volume, labels: { user: 'user', name: 'nightly, "x"' } };
}

async function begins(device: string, text: string): Promise<void> {
  for (const found of await machine.read(device, places)) assert.ok(found.startsWith(text), `${device}: ${found}`);
}

/** Overwrites a whole volume, so that each block of it is copied to its snapshots. */
async function overwrite(driver: LvmDriver, volume: VolumeSpec): Promise<void> {
  await machine.sh(
    `tr '\\0' z </dev/zero | dd of=${driver.localPath(volume)} bs=1M count=100 iflag=fullblock oflag=direct`,
  );
}

const list: readonly LvmCase[] = [
  {
    title:
      'a snapshot keeps the data of its moment while the whole volume is overwritten, and a volume made from it has it',
    run: async () => {
      const { driver, volume } = await prepare();
      const snapshot = snapshotOf(volume);
      const { freeBytes } = await driver.stats();
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), false);
      for (const _ of ['once', 'twice']) await driver.snapshots.createSnapshot(snapshot);
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), true);
      const { id, labels } = snapshot;
      const listed = { id, volumeId: volume.id, sizeBytes: volume.sizeBytes, labels };
      assert.deepEqual(await driver.snapshots.listSnapshots(), [listed]);
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      await overwrite(driver, volume);
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), true, 'it does not overflow');
      const other = spec({ sizeBytes: 200 * miB });
      const told: number[] = [];
      const made = await driver.snapshots.createFromSnapshot(other, snapshot, { progress: (one) => told.push(one) });
      assert.deepEqual([made.isNew, told.at(-1)], [true, 100]);
      assert.equal((await driver.snapshots.createFromSnapshot(other, snapshot)).isNew, false);
      assert.equal(await driver.hasVolume(other), true);
      await begins(driver.localPath(other), 'first');
      await begins(driver.localPath(volume), 'zzzz');
      await driver.snapshots.deleteSnapshot(snapshot);
      await driver.snapshots.deleteSnapshot(snapshot);
      assert.deepEqual(await driver.snapshots.listSnapshots(), []);
      await driver.deleteVolume(volume);
      await begins(driver.localPath(other), 'first');
      await driver.deleteVolume(other);
      await driver.setup();
      assert.equal((await driver.stats()).freeBytes, freeBytes + volume.sizeBytes);
      const text = "tr '\\0z' '\\n\\n' | grep -ac first || true";
      assert.equal(await machine.sh(`sync; head -c 450M ${machine.disk} | ${text}`), '0', 'nothing of it is left');
    },
  },
  {
    title: 'a volume with snapshots is VolumeBusy with their ids, is not wiped, and is deleted after them',
    run: async () => {
      const { driver, volume } = await prepare();
      const both = [snapshotOf(volume), snapshotOf(volume)];
      for (const snapshot of both) await driver.snapshots.createSnapshot(snapshot);
      for (const { id } of both) {
        await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: new RegExp(id) });
      }
      await begins(driver.localPath(volume), 'first');
      for (const snapshot of both) await driver.snapshots.deleteSnapshot(snapshot);
      await driver.deleteVolume(volume);
      assert.deepEqual(await driver.listVolumes(), []);
    },
  },
  {
    title: 'a snapshot that overflowed is unusable with its reason, also after a reboot; its volume stays usable',
    run: async () => {
      const { driver, volume } = await prepare({ snapshotPercent: 10 });
      const snapshot = snapshotOf(volume);
      await driver.snapshots.createSnapshot(snapshot);
      await overwrite(driver, volume);
      const check = async () => {
        assert.equal(await driver.snapshots.hasSnapshot(snapshot), false);
        const [found] = await driver.snapshots.listSnapshots();
        assert.match(found?.unusable ?? '', /overwritten/);
        await begins(driver.localPath(volume), 'zzzz');
        await assert.rejects(driver.snapshots.createFromSnapshot(spec(), snapshot), { code: 'SnapshotUnusable' });
        await assert.rejects(driver.snapshots.createSnapshot(snapshot), { code: 'SnapshotUnusable' });
      };
      await check();
      await machine.sh(`lvm vgchange -an ${group}`);
      await driver.setup();
      await check();
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)], 'a copy that could not begin leaves nothing');
      await driver.snapshots.deleteSnapshot(snapshot);
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'a volume that goes back to its latest snapshot takes nothing of the room of its snapshots',
    run: async () => {
      const { driver, volume } = await prepare({ snapshotPercent: 10 });
      const device = driver.localPath(volume);
      const write = (at: number, count: number) =>
        machine.sh(`dd if=/dev/urandom of=${device} bs=1M seek=${at} count=${count} oflag=direct status=none`);
      const [first, latest] = [snapshotOf(volume), snapshotOf(volume)];
      await driver.snapshots.createSnapshot(first);
      await write(20, 3);
      await driver.snapshots.createSnapshot(latest);
      const sumOf = (path: string) => machine.sh(`dd if=${path} bs=1M iflag=direct status=none | sha256sum`);
      const [before, ofFirst] = [await sumOf(device), await sumOf((await driver.snapshots.openSnapshot(first)).path)];
      await write(50, 4);
      await write(22, 1);
      const used = () => machine.sh(`lvs --noheadings -o lv_name,data_percent ${group} | grep snap- | sort`);
      const room = await used();
      const { sizeBytes } = volume;
      const from = { path: (await driver.snapshots.openSnapshot(latest)).path, sizeBytes };
      const { signal } = new AbortController();
      assert.equal(await copyDiffering(new ChildProcesses(), from, { path: device, sizeBytes }, { signal }), true);
      assert.equal(await sumOf(device), before);
      assert.equal(await used(), room);
      for (const one of [first, latest]) assert.equal(await driver.snapshots.hasSnapshot(one), true);
      assert.equal(await sumOf((await driver.snapshots.openSnapshot(first)).path), ofFirst);
      assert.equal(await sumOf((await driver.snapshots.openSnapshot(latest)).path), before);

      await assert.rejects(driver.snapshots.refuseOverwrite(volume), (error: { code: string; message: string }) => {
        assert.equal(error.code, 'SnapshotRoomTooSmall');
        for (const { id } of [first, latest]) assert.ok(error.message.includes(id));
        return true;
      });
      for (const one of [first, latest]) await driver.snapshots.deleteSnapshot(one);
      await driver.snapshots.refuseOverwrite(volume);
      const roomy = machine.driver({ snapshotPercent: 100 });
      await roomy.setup();
      await roomy.snapshots.createSnapshot(first);
      await roomy.snapshots.refuseOverwrite(volume);
      await overwrite(roomy, volume);
      assert.equal(await roomy.snapshots.hasSnapshot(first), true);
      await roomy.snapshots.deleteSnapshot(first);
      await roomy.deleteVolume(volume);
    },
  },
  {
    title: 'a snapshot without space is NoSpace, one of a missing volume StorageMissing, and neither leaves anything',
    run: async () => {
      const { driver, volume } = await prepare();
      await driver.createVolume(spec({ size: 3 }));
      await driver.createVolume(spec({ sizeBytes: 800 * miB }));
      const snapshot = snapshotOf(volume);
      await assert.rejects(driver.snapshots.createSnapshot(snapshot), { code: 'NoSpace' });
      await assert.rejects(driver.cloneVolume(spec(), volume), { code: 'NoSpace' });
      await assert.rejects(driver.snapshots.createSnapshot(snapshotOf(spec())), { code: 'StorageMissing' });
      await assert.rejects(driver.snapshots.createFromSnapshot(spec({ sizeBytes: 4 * miB }), snapshot), {
        code: 'SnapshotMissing',
      });
      assert.equal((await machine.logicalVolumes()).length, 3);
    },
  },
  {
    title: 'a mounted snapshot is SnapshotBusy and keeps its data',
    run: async () => {
      const { driver, volume } = await prepare();
      await machine.sh(`mkfs.ext4 -q ${driver.localPath(volume)}`);
      const snapshot = snapshotOf(volume);
      await driver.snapshots.createSnapshot(snapshot);
      await machine.sh(`mkdir -p /mnt/volume; mount -o ro /dev/${group}/snap-${snapshot.id} /mnt/volume`);
      await assert.rejects(driver.snapshots.deleteSnapshot(snapshot), { code: 'SnapshotBusy', message: /mnt.volume/ });
      await machine.sh('umount /mnt/volume');
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), true);
      await driver.snapshots.deleteSnapshot(snapshot);
    },
  },
  {
    title: 'a snapshot whose creation or deletion was interrupted is made or removed by the next call',
    run: async () => {
      const { driver, volume } = await prepare({ volumeClearMiBps: 20 });
      const snapshot = snapshotOf(volume);
      await driver.snapshots.createSnapshot(snapshot);
      await overwrite(driver, volume);
      const cancel = new AbortController();
      const progress = () => cancel.abort();
      await assert.rejects(driver.snapshots.deleteSnapshot(snapshot, { signal: cancel.signal, progress }));
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), false);
      assert.match((await driver.snapshots.listSnapshots())[0]?.unusable ?? '', /interrupted/);
      await driver.snapshots.deleteSnapshot(snapshot);
      await driver.snapshots.createSnapshot(snapshot);
      await machine.sh(`lvm lvconvert -y --splitsnapshot ${group}/snap-${snapshot.id}`);
      await driver.snapshots.createSnapshot(snapshot);
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), true);
    },
  },
  {
    title: 'a snapshot that is not labelled, or was renamed, is somebody else’s and is not touched',
    run: async () => {
      const { driver, volume } = await prepare();
      const snapshot = snapshotOf(volume);
      const name = `snap-${snapshot.id}`;
      await machine.sh(`lvm lvcreate -y -Wn -L 8m -n ${name} ${group}`);
      const busy = { code: 'SnapshotBusy', message: /lvrename/ };
      await assert.rejects(driver.snapshots.createSnapshot(snapshot), busy);
      await assert.rejects(driver.snapshots.deleteSnapshot(snapshot), busy);
      assert.deepEqual(await driver.snapshots.listSnapshots(), []);
      await machine.sh(`lvm lvremove -y ${group}/${name}`);
      await driver.snapshots.createSnapshot(snapshot);
      await machine.sh(`lvm lvrename ${group} ${name} other`);
      await assert.rejects(driver.snapshots.deleteSnapshot(snapshot), busy);
    },
  },
  {
    title: 'a clone has the data of its moment while its source is written, and stays when the source is deleted',
    run: async () => {
      const { driver, volume } = await prepare();
      const clone = spec({ sizeBytes: 120 * miB });
      const making = driver.cloneVolume(clone, volume);
      await machine.sh(`while ! lvm lvs ${group}/source-${clone.id}; do sleep 0.1; done`);
      await overwrite(driver, volume);
      assert.equal((await making).isNew, true);
      assert.equal((await driver.cloneVolume(clone, volume)).isNew, false);
      await driver.deleteVolume(volume);
      await begins(driver.localPath(clone), 'first');
      assert.deepEqual(await driver.listVolumes(), [foundAs(clone)]);
      assert.deepEqual(await machine.logicalVolumes(), [`volume-${clone.id} active`]);
    },
  },
  {
    title: 'a copy that was interrupted is no volume, is completed by the next call, or removed by a delete',
    run: async () => {
      const { driver } = await prepare();
      const volume = spec({ size: 1 });
      await driver.createVolume(volume);
      await machine.write(driver.localPath(volume), 'first', places);
      const clone = spec({ size: 1 });
      const interrupt = async () => {
        const cancel = new AbortController();
        const options = { signal: cancel.signal, progress: () => cancel.abort() };
        await assert.rejects(driver.cloneVolume(clone, volume, options));
        assert.equal(await driver.hasVolume(clone), false);
        await assert.rejects(driver.ensureVolume(clone), { code: 'StorageMissing' });
        const found = (await driver.listVolumes()).find(({ id }) => id === clone.id);
        assert.match(found?.unusable ?? '', /not complete/);
        await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: new RegExp(clone.id) });
      };
      await interrupt();
      await driver.deleteVolume(clone);
      assert.equal((await machine.logicalVolumes()).length, 2);
      await interrupt();
      await machine.sh(`lvm vgchange -an ${group}`);
      await driver.setup();
      assert.equal((await driver.cloneVolume(clone, volume)).isNew, true);
      await begins(driver.localPath(clone), 'first');
      assert.equal((await machine.logicalVolumes()).length, 3);
    },
  },
];

await runCases(machine, list);
