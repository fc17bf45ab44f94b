import assert from 'node:assert/strict';
import type { Finding } from '../../lib/check.ts';
import type { VolumeSpec } from '../../lib/drivers/driver.ts';
import type { LvmDriver, LvmOptions } from '../../lib/drivers/lvm/driver.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { snapshotOf } from '../lib/drivers/subject.ts';
import { until } from '../support/until.ts';
import { LvmMachine, group, runCases, type LvmCase } from './lvm-machine.ts';

// Runs on a lab machine: node test/lab/lvm-thin-cases.ts <disk of 4 GiB> <another>. Thin pools: who made them, how full they are.

const machine = new LvmMachine(process.argv[2] ?? '', process.argv[3] ?? '');

const miB = 2 ** 20;
const own = 'blockstore-pool';
const thin = { lvmType: 'thin' } as const;

async function prepare(options: Partial<LvmOptions> = {}): Promise<LvmDriver> {
  const driver = machine.driver({ ...thin, ...options });
  await driver.setup();
  return driver;
}

/** An administrator's group with a pool of 200 MiB, which the driver is to use. */
async function adminPool(
  options: Partial<LvmOptions> = {},
  arguments_ = '-Zy --poolmetadatasize 4m',
): Promise<LvmDriver> {
  await machine.sh(`lvm vgcreate -s 1m --metadatasize 8m ${group} ${machine.disk}
    lvm lvcreate -y --type thin-pool ${arguments_} -L 200m -n theirs ${group}`);
  return prepare({ thinPool: 'theirs', storageCreate: false, ...options });
}

/** Figures are up to a second old. */
async function problem(driver: LvmDriver, pattern: RegExp): Promise<boolean> {
  return until(async () => {
    const stats = await driver.stats();
    return pattern.test(stats.problem ?? '') && { accepts: stats.acceptsCreates };
  }, `the problem ${pattern}`).then(({ accepts }) => accepts);
}

async function write(driver: LvmDriver, volume: VolumeSpec, mebibytes: number): Promise<void> {
  const args = `bs=1M count=${mebibytes} iflag=fullblock oflag=direct conv=notrunc`;
  await machine.sh(`tr '\\0' z </dev/zero | dd of=${driver.localPath(volume)} ${args}`);
}

/** Everything that takes space of the pool is refused so; `existing` is a volume in it. */
async function allRefused(driver: LvmDriver, existing: VolumeSpec, expected: object): Promise<void> {
  const before = await machine.logicalVolumes();
  await assert.rejects(driver.createVolume(spec()), expected);
  await assert.rejects(driver.snapshots.createSnapshot(snapshotOf(existing)), expected);
  await assert.rejects(driver.cloneVolume(spec(), existing), expected);
  await assert.rejects(driver.extendVolume({ ...existing, sizeBytes: existing.sizeBytes + 4 * miB }), expected);
  assert.deepEqual(await machine.logicalVolumes(), before, 'nothing is left');
  assert.equal((await driver.createVolume(existing)).isNew, false, 'a repeated create keeps the volume');
}

const list: readonly LvmCase[] = [
  {
    title: 'set-up makes a pool only with storage_create, keeps it, and activates volumes of ours alone after a reboot',
    run: async () => {
      await machine.sh(`lvm vgcreate --metadatasize 8m ${group} ${machine.disk}`);
      const refused = { code: 'ThinPoolMissing', message: /^backend lab: thin pool nova-volumes\/blockstore-pool / };
      await assert.rejects(machine.driver({ ...thin, storageCreate: false }).setup(), refused);
      assert.deepEqual(await machine.logicalVolumes(), ['']);
      const doctor = async (storage_create: boolean) => machine.check({ lvm_type: 'thin', storage_create });
      const finds = (findings: readonly Finding[], level: string, pattern: RegExp) =>
        assert.ok(
          findings.some((one) => one.level === level && pattern.test(one.message)),
          JSON.stringify(findings),
        );
      finds(await doctor(false), 'bad', /blockstore-pool does not exist/);
      finds(await doctor(true), 'ok', /will create thin pool nova-volumes\/blockstore-pool of 3\.\d GiB/);
      const driver = await prepare();
      const volume = spec();
      const snapshot = snapshotOf(volume);
      await driver.createVolume(volume);
      await driver.snapshots.createSnapshot(snapshot);
      finds(await doctor(true), 'ok', /^thin pool .*: 200 MiB promised of 3\.\d GiB, 0 % of 3\.\d GiB used, metadata/);
      await machine.write(driver.localPath(volume), 'data', [0]);
      await machine.sh(`lvm lvcreate -y -Wn -V 8m --thinpool ${own} -n theirs ${group}; lvm vgchange -an ${group}`);
      assert.equal(await driver.hasVolume(volume), false);
      await driver.setup();
      const expected = [`${own} active`, `snap-${snapshot.id}`, 'theirs', `volume-${volume.id} active`];
      assert.deepEqual(await machine.logicalVolumes(), expected);
      assert.match((await machine.read(driver.localPath(volume), [0]))[0] ?? '', /^data/);
      assert.equal(await driver.snapshots.hasSnapshot(snapshot), true);
      assert.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
      assert.equal((await driver.stats()).volumeBytes, volume.sizeBytes);
      await machine.sh(`lvm lvrename ${group} ${own} other`);
      const renamed = {
        code: 'ThinPoolMissing',
        hint: /lvrename nova-volumes other blockstore-pool; or: lvm_thin_pool = other/,
      };
      await assert.rejects(machine.driver(thin).setup(), renamed);
      finds(await doctor(true), 'bad', /renamed to other/);
      assert.equal(await problem(driver, /does not exist/), false);
      const named = await prepare({ thinPool: 'other' });
      await named.createVolume(spec());
    },
  },
  {
    title: 'a pool of somebody else is not used unless it is named, and what is in it is neither counted nor removed',
    run: async () => {
      await machine.sh(`lvm vgcreate --metadatasize 8m ${group} ${machine.disk}
        lvm lvcreate -y --type thin-pool -Zy -L 400m -n ${own} ${group}
        lvm lvcreate -y -Wn -V 100m --thinpool ${own} -n theirs ${group}
        lvm lvcreate -y -Wn -L 8m -n plain ${group}`);
      const foreign = { code: 'ThinPoolUnusable', hint: /lvm_thin_pool = blockstore-pool; otherwise: lvrename/ };
      await assert.rejects(machine.driver(thin).setup(), foreign);
      await assert.rejects(machine.driver({ ...thin, thinPool: 'plain' }).setup(), { code: 'ThinPoolUnusable' });
      for (const lvm_thin_pool of ['', 'plain']) {
        const found = await machine.check({ lvm_type: 'thin', lvm_thin_pool });
        assert.equal(
          found.some(({ level, message }) => level === 'bad' && /thin pool/.test(message)),
          true,
        );
      }
      const driver = await prepare({ thinPool: own });
      const stats = await driver.stats();
      assert.deepEqual([stats.totalBytes, stats.freeBytes, stats.volumeBytes], [400 * miB, 300 * miB, 0]);
      const volume = spec();
      await driver.createVolume(volume);
      await machine.sh(`lvm lvcreate -y -s -n nightly ${group}/volume-${volume.id}`);
      await driver.deleteVolume(volume);
      assert.deepEqual(await machine.logicalVolumes(), [`${own} active`, 'nightly', 'plain active', 'theirs active']);
      await driver.close();
      const thick = machine.driver();
      await thick.setup();
      assert.equal((await thick.listVolumes()).length, 0);
    },
  },
  {
    title: 'a pool that does not zero is set to in ours, and refused in another one before anything can be read',
    run: async () => {
      const driver = await adminPool({ maxOverSubscription: 3 });
      const volume = spec();
      const snapshot = snapshotOf(volume);
      await driver.createVolume(volume);
      await driver.snapshots.createSnapshot(snapshot);
      await machine.write(driver.localPath(volume), 'secret', [0, 64 * 1024]);
      await machine.sh(`lvm lvchange -Zn ${group}/theirs`);
      const expected = { code: 'ThinPoolUnusable', hint: 'lvchange -Zy nova-volumes/theirs' };
      await allRefused(driver, volume, expected);
      await assert.rejects(driver.deleteVolume(volume), expected);
      await assert.rejects(driver.snapshots.deleteSnapshot(snapshot), expected);
      assert.equal(await problem(driver, /does not zero/), false);
      const findings = await machine.check({ lvm_type: 'thin', lvm_thin_pool: 'theirs' });
      const found = findings.find(({ level }) => level === 'bad');
      assert.equal(found?.hint, 'lvchange -Zy nova-volumes/theirs');
      await driver.setup();
      assert.match((await machine.read(driver.localPath(volume), [0]))[0] ?? '', /^secret/);
      await machine.sh(`lvm lvchange -Zy ${group}/theirs`);
      await driver.snapshots.deleteSnapshot(snapshot);
      await driver.deleteVolume(volume);
      await machine.end();
      await machine.begin();
      const ours = await prepare();
      await ours.createVolume(volume);
      const text = 's'.repeat(4096);
      const places = Array.from({ length: 1600 }, (_, index) => index * 64 * 1024);
      await machine.write(ours.localPath(volume), text, places);
      await machine.sh(`lvm lvchange -Zn ${group}/${own}`);
      await ours.deleteVolume(volume);
      const next = spec();
      await ours.createVolume(next);
      // The first 4 KiB of each block are written: the rest of it is to be zeros.
      await machine.write(
        ours.localPath(next),
        'next',
        places.slice(0, 800).map((place) => place + 8192),
      );
      const rest = await machine.read(ours.localPath(next), places.slice(0, 800));
      assert.deepEqual(new Set(rest), new Set(['']));
    },
  },
  {
    title: 'a pool that is nearly full of data is reported first, then refuses everything that takes space of it',
    run: async () => {
      const driver = await adminPool({ maxOverSubscription: 5 });
      const volume = spec({ sizeBytes: 300 * miB });
      await driver.createVolume(volume);
      await write(driver, volume, 150);
      assert.equal((await driver.stats()).problem, undefined);
      await write(driver, volume, 168);
      assert.equal(await problem(driver, /^backend lab: thin pool nova-volumes\/theirs is 84 % full/), true);
      await driver.createVolume(spec({ sizeBytes: 8 * miB }));
      await write(driver, volume, 186);
      const expected = {
        code: 'NoSpace',
        message: /backend lab: .*theirs is 93 %/,
        hint: /lvextend -L \+SIZE nova-volumes\/theirs/,
      };
      await allRefused(driver, volume, expected);
      assert.equal(await problem(driver, /93 % full/), false);
      assert.equal((await driver.stats()).usage?.dataPercent, 93);
      const levels = (
        await machine.check({
          lvm_type: 'thin',
          lvm_thin_pool: 'theirs',
          max_over_subscription_ratio: 5,
        })
      ).map(({ level }) => level);
      assert.ok(levels.includes('bad'));
      await machine.sh(`lvm lvextend -L +100m ${group}/theirs`);
      await driver.createVolume(spec({ sizeBytes: 8 * miB }));
      await until(async () => (await driver.stats()).problem === undefined, 'there is no problem any more');
    },
  },
  {
    title: 'a pool whose volumes cannot grow beyond its size takes new ones until all of it is promised',
    run: async () => {
      const driver = await adminPool();
      const volume = spec({ sizeBytes: 190 * miB });
      await driver.createVolume(volume);
      await write(driver, volume, 190);
      await driver.createVolume(spec({ sizeBytes: 8 * miB }));
      const expected = {
        code: 'NoSpace',
        message: /backend lab: thin pool nova-volumes\/theirs has 2 MiB left .*ratio 1\); the request needs 100 MiB/,
        hint: /max_over_subscription_ratio$/,
      };
      await assert.rejects(driver.createVolume(spec()), expected);
      await assert.rejects(driver.snapshots.createSnapshot(snapshotOf(volume)), { code: 'NoSpace' });
      await driver.close();
      const generous = await prepare({ thinPool: 'theirs', maxOverSubscription: 1.5 });
      const { totalBytes, freeBytes } = await generous.stats();
      assert.deepEqual([totalBytes, freeBytes], [300 * miB, 102 * miB]);
      await assert.rejects(generous.createVolume(spec()), { code: 'NoSpace', message: /95 % full/ });
    },
  },
  {
    title:
      'a pool whose metadata is nearly full is reported, refuses snapshots before it is, and takes them once extended',
    run: async () => {
      const driver = await adminPool({ maxOverSubscription: 100 }, '-Zy --poolmetadatasize 2m');
      const volume = spec();
      await driver.createVolume(volume);
      await write(driver, volume, 100);
      const places = Array.from({ length: 20 }, (_, index) => index * 5 * miB);
      let refused: unknown;
      for (let taken = 0; taken < 100; taken += 1) {
        refused = await driver.snapshots.createSnapshot(snapshotOf(volume)).catch((error: unknown) => error);
        if (refused !== undefined) break;
        await machine.write(driver.localPath(volume), 'x', places);
        if (taken === 0) assert.equal((await driver.stats()).problem, undefined);
      }
      assert.match(String(refused), /metadata of backend lab: thin pool nova-volumes\/theirs is [78]\d/);
      await allRefused(driver, volume, { code: 'NoSpace', hint: /--poolmetadatasize \+SIZE nova-volumes\/theirs/ });
      assert.equal(await problem(driver, /metadata of backend lab/), false);
      await machine.sh(`lvm lvextend --poolmetadatasize +3m ${group}/theirs`);
      await driver.snapshots.createSnapshot(snapshotOf(volume));
      for (const { id, labels } of await driver.snapshots.listSnapshots()) {
        await driver.snapshots.deleteSnapshot({ id, volume, labels });
      }
      await driver.deleteVolume(volume);
    },
  },
  {
    title: 'an inactive pool is activated for its figures, and one that cannot be is named and keeps its volumes',
    run: async () => {
      const driver = await prepare();
      const volume = spec();
      await driver.createVolume(volume);
      await machine.write(driver.localPath(volume), 'data', [0]);
      await machine.sh(`lvm vgchange -an ${group}`);
      await until(async () => (await driver.stats()).acceptsCreates, 'the pool has figures');
      assert.equal((await driver.stats()).problem, undefined);
      const start =
        await machine.sh(`lvm lvs -a --noheadings --units b --nosuffix -o seg_pe_ranges ${group}/${own}_tmeta
        lvm vgs --noheadings --units b --nosuffix -o vg_extent_size ${group}
        lvm pvs --noheadings --units b --nosuffix -o pe_start ${machine.disk}`);
      const [range = '', extentBytes = '', firstByte = ''] = start.split('\n').map((line) => line.trim());
      const extent = Number(/:(\d+)-/.exec(range)?.[1]);
      const place = (Number(firstByte) + extent * Number(extentBytes)) / 4096;
      await driver.close();
      await machine.sh(`lvm vgchange -an ${group}
        dd if=${machine.disk} of=/run/superblock bs=4096 count=1 skip=${place}
        dd if=/dev/urandom of=${machine.disk} bs=4096 count=1 seek=${place} conv=notrunc,fsync`);
      const broken = await prepare();
      const expected = { code: 'ThinPoolUnusable', message: /backend lab: thin pool .*not active/ };
      await assert.rejects(broken.createVolume(spec()), expected);
      assert.equal(await problem(broken, /not active/), false);
      await assert.rejects(broken.ensureVolume(volume));
      assert.deepEqual(await broken.listVolumes(), [foundAs(volume)]);
      await machine.sh(`dd if=/run/superblock of=${machine.disk} bs=4096 count=1 seek=${place} conv=notrunc,fsync`);
      await broken.ensureVolume(volume);
      assert.match((await machine.read(broken.localPath(volume), [0]))[0] ?? '', /^data/);
      await until(async () => (await broken.stats()).acceptsCreates, 'the pool is used again');
    },
  },
  {
    title: 'a repaired pool is used on, and a snapshot that it lost is unusable and can be deleted',
    run: async () => {
      const driver = await prepare();
      const volume = spec();
      const [kept, lost] = [snapshotOf(volume), snapshotOf(volume)];
      await driver.createVolume(volume);
      await machine.write(driver.localPath(volume), 'data', [0]);
      for (const snapshot of [kept, lost]) await driver.snapshots.createSnapshot(snapshot);
      await machine.sh(`lvm vgchange -an ${group}; lvm lvconvert -y --repair ${group}/${own}`);
      await driver.setup();
      const id = await machine.sh(`lvm lvs --noheadings -o thin_id ${group}/snap-${lost.id}`);
      const pool = `${group.replaceAll('-', '--')}-${own.replaceAll('-', '--')}-tpool`;
      await machine.sh(`dmsetup message ${pool} 0 "delete ${id}"`);
      const restored = spec();
      await assert.rejects(driver.snapshots.createFromSnapshot(spec(), lost), { code: 'SnapshotUnusable' });
      await driver.snapshots.createFromSnapshot(restored, kept);
      assert.match((await machine.read(driver.localPath(restored), [0]))[0] ?? '', /^data/);
      await driver.snapshots.deleteSnapshot(lost);
      assert.deepEqual(
        (await driver.snapshots.listSnapshots()).map((one) => one.id),
        [kept.id],
      );
      const backups = (await machine.logicalVolumes()).filter((name) => name.includes('_meta'));
      assert.equal(backups.length, 1, 'the copy of the metadata before the repair is its administrator’s');
    },
  },
];

await runCases(machine, list);
