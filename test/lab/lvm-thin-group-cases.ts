import assert from 'node:assert/strict';
import type { VolumeSpec } from '../../lib/drivers/driver.ts';
import type { LvmDriver, LvmOptions } from '../../lib/drivers/lvm/driver.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { foundAsSnapshot, snapshotOf } from '../lib/drivers/subject.ts';
import { until } from '../support/until.ts';
import { LvmMachine, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-thin-group-cases.ts <disk of 4 GiB> <another>. Thin volumes beside thick ones, and beside
// what administrators do.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

const miB = 2 ** 20;
const own = 'blockstore-pool';
const places = [0, 50 * miB, 100 * miB - 4096];

async function prepare(options: Partial<LvmOptions> = {}): Promise<LvmDriver> {
  const driver = machine.driver({ lvmType: 'thin', ...options });
  await driver.setup();
  return driver;
}

async function filled(driver: LvmDriver, text: string): Promise<VolumeSpec> {
  const volume = spec();
  await driver.createVolume(volume);
  await machine.write(driver.localPath(volume), text, places);
  return volume;
}

async function begins(device: string, text: string): Promise<void> {
  for (const found of await machine.read(device, places)) assert.ok(found.startsWith(text), `${device}: ${found}`);
}

async function layoutOf(name: string): Promise<string> {
  return machine.sh(`lvm lvs --noheadings -o lv_layout ${group}/${name}`);
}

const list: readonly LvmCase[] = [
  {
    title: 'what an administrator made of a thin volume, and would go with it, keeps it from being deleted',
    run: async () => {
      const driver = await prepare();
      const volume = await filled(driver, 'data');
      const name = `${group}/volume-${volume.id}`;
      const refused = async (message: RegExp) => {
        await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message });
        assert.equal(await driver.hasVolume(volume), true);
      };
      await machine.sh(`lvm lvcreate -y -s -n nightly ${name}; lvm lvcreate -y -s -L 8m -n thick ${name}`);
      await refused(/--splitsnapshot nova-volumes\/thick && /);
      await machine.sh(`lvm lvremove -y ${group}/thick`);
      await machine.sh(`exec 9<${driver.localPath(volume)}; lvm lvconvert --merge ${group}/nightly`);
      await refused(/merges a snapshot into it/);
      await machine.sh(`lvm lvchange -an ${name}; lvm lvchange -ay ${name}`);
      await machine.sh(`lvm lvcreate -y --type thin-pool -L 32m -n other ${group}
        lvm lvchange -pr ${name}; lvm lvchange -an ${name}
        lvm lvcreate -y -s --thinpool other -n outside ${name}`);
      await assert.rejects(driver.deleteVolume(volume), {
        code: 'VolumeBusy',
        message: /lvremove nova-volumes\/outside$/,
      });
      assert.ok((await machine.logicalVolumes()).includes('outside active'));
      await machine.sh(`lvm lvremove -y ${group}/outside`);
      await driver.deleteVolume(volume);
      assert.deepEqual(await machine.logicalVolumes(), [`${own} active`, 'other active']);
    },
  },
  {
    title:
      'a thick volume that became a thin pool, a thin volume with an external origin, or such an origin, is not deleted',
    run: async () => {
      const driver = machine.driver();
      await driver.setup();
      const [pool, thin, origin] = [
        await filled(driver, 'one'),
        await filled(driver, 'two'),
        await filled(driver, 'three'),
      ];
      const nameOf = ({ id }: VolumeSpec) => `${group}/volume-${id}`;
      await machine.sh(`lvm lvcreate -y --type thin-pool -L 400m -n theirs ${group}
        lvm lvconvert -y --type thin-pool ${nameOf(pool)}
        lvm lvconvert -y --type thin --thinpool theirs --originname before ${nameOf(thin)}
        lvm lvchange -pr ${nameOf(origin)}; lvm lvchange -an ${nameOf(origin)}
        lvm lvcreate -y -s --thinpool theirs -n outside ${nameOf(origin)}
        for tag in blockstore blockstore:id=${pool.id}; do lvm lvchange --addtag $tag ${nameOf(pool)}; done
        for tag in blockstore blockstore:id=${thin.id}; do lvm lvchange --addtag $tag ${nameOf(thin)}; done`);
      const before = await machine.logicalVolumes();
      for (const backend of [driver, await prepare({ thinPool: 'theirs' })]) {
        const busy = (message: RegExp) => ({ code: 'VolumeBusy', message });
        await assert.rejects(backend.deleteVolume(pool), busy(/uses it as thin, pool/));
        await assert.rejects(backend.deleteVolume(thin), busy(/external origin nova-volumes\/before/));
        await assert.rejects(backend.deleteVolume(origin), busy(/lvremove nova-volumes\/outside/));
      }
      const names = (rows: readonly string[]) => rows.map((row) => row.split(' ')[0]);
      assert.deepEqual(names(await machine.logicalVolumes()), names(before));
      await begins(driver.localPath(thin), 'two');
      await begins(`/dev/${group}/outside`, 'three');
    },
  },
  {
    title: 'a backend that becomes thin serves its thick volumes on, and copies their data to thin ones',
    run: async () => {
      const thick = machine.driver();
      await thick.setup();
      const volume = await filled(thick, 'first');
      const snapshot = snapshotOf(volume);
      await thick.snapshots.createSnapshot(snapshot);
      await thick.close();
      // A pool of our own would leave no space for the snapshot that a thick volume is copied from.
      await machine.sh(`lvm lvcreate -y --type thin-pool -Zy -L 800m -n theirs ${group}`);
      const driver = await prepare({ thinPool: 'theirs' });
      assert.deepEqual(await driver.snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
      const [restored, clone, fresh] = [spec(), spec(), spec()];
      await driver.snapshots.createFromSnapshot(restored, snapshot);
      await driver.cloneVolume(clone, volume);
      await driver.createVolume(fresh);
      for (const one of [restored, clone, fresh]) assert.equal(await layoutOf(`volume-${one.id}`), 'thin,sparse');
      for (const one of [restored, clone]) await begins(driver.localPath(one), 'first');
      const { volumeBytes } = await driver.stats();
      assert.equal(volumeBytes, 4 * volume.sizeBytes);
      await driver.snapshots.deleteSnapshot(snapshot);
      const told: number[] = [];
      await driver.deleteVolume(volume, { progress: (percent) => told.push(percent) });
      assert.equal(told.at(-1), 100, 'it is overwritten');
      for (const one of [restored, clone]) await driver.deleteVolume(one);
      assert.deepEqual(await driver.listVolumes(), [foundAs(fresh)]);
    },
  },
  {
    title: 'a backend that becomes thick serves its thin volumes on, and copies their data to thick ones',
    run: async () => {
      await machine.sh(`lvm vgcreate --metadatasize 8m ${group} ${machine.disk}
        lvm lvcreate -y --type thin-pool -Zy -L 600m -n theirs ${group}`);
      const thin = await prepare({ thinPool: 'theirs' });
      const volume = await filled(thin, 'first');
      await thin.close();
      const driver = machine.driver({ thinPool: 'theirs' });
      await driver.setup();
      assert.equal(await driver.hasVolume(volume), true);
      const snapshot = snapshotOf(volume);
      await driver.snapshots.createSnapshot(snapshot);
      assert.equal(await layoutOf(`snap-${snapshot.id}`), 'thin,sparse');
      const [restored, clone] = [spec(), spec()];
      await driver.snapshots.createFromSnapshot(restored, snapshot);
      await driver.cloneVolume(clone, volume);
      for (const one of [restored, clone]) {
        assert.equal(await layoutOf(`volume-${one.id}`), 'linear');
        await begins(driver.localPath(one), 'first');
      }
      await driver.extendVolume({ ...volume, sizeBytes: 200 * miB });
      await driver.close();
      const unnamed = machine.driver();
      await unnamed.setup();
      const refused = { code: 'ThinPoolUnusable', hint: /lvm_thin_pool = theirs/ };
      await assert.rejects(unnamed.snapshots.createSnapshot(snapshotOf(volume)), refused);
      await unnamed.snapshots.deleteSnapshot(snapshot);
      for (const one of [volume, restored, clone]) await unnamed.deleteVolume(one);
      assert.deepEqual(await machine.logicalVolumes(), ['theirs active']);
    },
  },
  {
    title: 'a clone that was interrupted before it had its size or its name is completed, or removed by a delete',
    run: async () => {
      const driver = await prepare();
      const volume = await filled(driver, 'first');
      for (const outcome of ['completed', 'removed']) {
        const clone = spec({ sizeBytes: 200 * miB });
        const tags = [`blockstore`, `blockstore:id=${clone.id}`].map((tag) => `--addtag ${tag}`).join(' ');
        const source = `${group}/volume-${volume.id}`;
        await machine.sh(`lvm lvcreate -y -s -kn ${tags} -n copy-${clone.id} ${source}`);
        assert.equal(await driver.hasVolume(clone), false);
        const found = (await driver.listVolumes()).find(({ id }) => id === clone.id);
        assert.match(found?.unusable ?? '', /not complete/);
        if (outcome === 'completed') {
          await driver.cloneVolume(clone, volume);
          assert.equal(await driver.hasVolume(clone), true);
          await begins(driver.localPath(clone), 'first');
        }
        await driver.deleteVolume(clone);
        assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      }
      assert.deepEqual(await machine.logicalVolumes(), [`${own} active`, `volume-${volume.id} active`]);
    },
  },
  {
    title: 'a snapshot is of one moment while its volume is mounted and written, and its volume is deleted first',
    run: async () => {
      const driver = await prepare();
      const volume = spec();
      await driver.createVolume(volume);
      const device = driver.localPath(volume);
      await machine.sh(
        `mkfs.ext4 -q ${device}; mkdir -p /mnt/volume; mount ${device} /mnt/volume; echo kept >/mnt/volume/file`,
      );
      const snapshot = snapshotOf(volume);
      await driver.snapshots.createSnapshot(snapshot);
      await machine.sh('echo later >/mnt/volume/file; sync');
      await assert.rejects(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /mounted on \/mnt\/volume/ });
      const larger = { ...volume, sizeBytes: 300 * miB };
      await driver.extendVolume(larger);
      assert.equal(await machine.sh(`resize2fs ${device} >&2; cat /mnt/volume/file; umount /mnt/volume`), 'later');
      await driver.deleteVolume(larger);
      const restored = spec();
      await driver.snapshots.createFromSnapshot(restored, snapshot);
      const mounted = `mount ${driver.localPath(restored)} /mnt/volume && cat /mnt/volume/file; umount /mnt/volume`;
      assert.equal(await machine.sh(mounted), 'kept');
      await driver.snapshots.deleteSnapshot(snapshot);
      await driver.deleteVolume(restored);
      assert.deepEqual(await machine.logicalVolumes(), [`${own} active`]);
    },
  },
  {
    title: 'a pool that lacks a disk takes nothing, and its volumes are served again when the disk is back',
    run: async () => {
      const disks = await machine.loops(2);
      const [, second = ''] = disks;
      await machine.sh(`lvm vgcreate --metadatasize 8m ${group} ${disks.join(' ')}
        lvm lvcreate -y --type thin-pool -Zy -i 2 -L 160m -n theirs ${group}`);
      const driver = await prepare({ storageDev: disks, thinPool: 'theirs' });
      const volume = spec({ sizeBytes: 60 * miB });
      await driver.createVolume(volume);
      await machine.write(driver.localPath(volume), 'data', [0]);
      const snapshot = snapshotOf(volume);
      await driver.snapshots.createSnapshot(snapshot);
      await machine.sh(`lvm vgchange -an ${group}; losetup -d ${second}`);
      const refused = { code: 'GroupIncomplete' };
      await assert.rejects(driver.createVolume(spec({ sizeBytes: 8 * miB })), refused);
      const stats = await until(async () => {
        const now = await driver.stats();
        return !now.acceptsCreates && now;
      }, 'the missing disk is reported');
      assert.match(stats.problem ?? '', /missing a disk/);
      assert.match((await driver.listVolumes())[0]?.unusable ?? '', /missing disk/);
      assert.match((await driver.snapshots.listSnapshots())[0]?.unusable ?? '', /missing disk/);
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), false);
      await assert.rejects(driver.deleteVolume(volume), refused);
      await assert.rejects(driver.snapshots.deleteSnapshot(snapshot), refused);
      await assert.rejects(driver.ensureVolume(volume), { code: 'DiskMissing' });
      await machine.sh(`losetup ${second} ${LvmMachine.fileOf(second)}`);
      await until(async () => (await driver.stats()).acceptsCreates, 'the disk is back', 60_000);
      await driver.ensureVolume(volume);
      assert.match((await machine.read(driver.localPath(volume), [0]))[0] ?? '', /^data/);
      assert.deepEqual(await driver.snapshots.listSnapshots(), [foundAsSnapshot(snapshot)]);
      await driver.snapshots.deleteSnapshot(snapshot);
      await driver.deleteVolume(volume);
    },
  },
];

await runCases(machine, list);
