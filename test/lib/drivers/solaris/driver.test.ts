import { randomUUID } from 'node:crypto';
import test from 'ava';
import { SolarisDriver } from '../../../../lib/drivers/solaris/driver.ts';
import type { SnapshotSpec } from '../../../../lib/drivers/snapshots.ts';
import type { VolumeSpec } from '../../../../lib/drivers/driver.ts';
import { DirectShell } from '../../../support/fake-san/direct-shell.ts';
import { refused } from '../../../support/fake-san/device.ts';
import { solarisKind } from '../../../support/fake-san/kinds.ts';
import { SolarisDevice } from '../../../support/fake-san/solaris-device.ts';
import { spec } from '../conformance.ts';
import { someCasesOf } from '../run-cases.ts';

const totalBytes = 2.5 * 2 ** 30;

interface Made {
  device: SolarisDevice;
  shell: DirectShell;
  driver: SolarisDriver;
}

async function made({ thin = true, total = 100 * 2 ** 30, base = 'tank/' } = {}): Promise<Made> {
  const device = new SolarisDevice('tank', total);
  const shell = new DirectShell(device);
  const driver = new SolarisDriver(shell, { base, thin, node: 'n1' });
  await driver.setup();
  return { device, shell, driver };
}

function snapshotOf(volume: VolumeSpec): SnapshotSpec {
  return { id: randomUUID(), volume, labels: { name: 'weekly' } };
}

const thick = { thin: false, base: 'tank/pre-', node: 'n1' };
const anyDevice = new SolarisDevice('tank', totalBytes);
const any = new SolarisDriver(new DirectShell(anyDevice), thick);

for (const { title, run } of someCasesOf(solarisKind(any, anyDevice, thick))) {
  test(`thick: ${title}`, async (t) => {
    const { driver, device } = await made({ ...thick, total: totalBytes });
    await t.notThrowsAsync(run({ ...solarisKind(driver, device, thick), sizeGiB: 2 }));
  });
}

test('a dataset belongs to the node that used it first', async (t) => {
  const { device, driver } = await made();
  await driver.createVolume(spec());
  const other = new SolarisDriver(new DirectShell(device), { base: 'tank/', thin: true, node: 'n2' });
  await t.throwsAsync(other.setup(), {
    code: 'StorageUnusable',
    message: 'node "n1" has its volumes in ZFS dataset tank',
  });
  await t.throwsAsync(new SolarisDriver(new DirectShell(device), { base: 'other/', thin: true, node: 'n1' }).setup(), {
    code: 'StorageUnusable',
    message: /cannot open 'other': dataset does not exist/,
  });
});

test('a volume without labels, or labelled as another one, is not ours', async (t) => {
  const { device, driver } = await made();
  const volume = spec();
  device.zfs.run(['create', '-s', '-V', '1G', `tank/volume-${volume.id}`]);
  t.deepEqual(await driver.listVolumes(), []);
  await t.throwsAsync(driver.createVolume(volume), { code: 'VolumeExists', message: /is not labelled/ });
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy' });
  const command = (await driver.relabelCommand(volume)) ?? '';
  t.regex(command, /^zfs set 'blockstore:labels=id=/);
  t.is(device.run(`pfexec ${command}`).exitCode, 0);
  t.true(await driver.hasVolume(volume));
});

test('a snapshot keeps its volume; volumes made from it stay when snapshot and source are deleted', async (t) => {
  const { driver, device } = await made();
  const { snapshots } = driver;
  const source = spec({ size: 1 });
  await driver.createVolume(source);
  const snapshot = snapshotOf(source);
  await snapshots.createSnapshot(snapshot);
  await snapshots.createSnapshot(snapshot);
  t.true(await snapshots.hasSnapshot(snapshot));
  t.deepEqual(await snapshots.listSnapshots(), [
    { id: snapshot.id, volumeId: source.id, sizeBytes: source.sizeBytes, labels: snapshot.labels },
  ]);
  await t.throwsAsync(driver.deleteVolume(source), { code: 'VolumeBusy', message: new RegExp(`@snap-${snapshot.id}`) });
  const larger = spec({ size: 2 });
  t.true((await snapshots.createFromSnapshot(larger, snapshot)).isNew);
  t.false((await snapshots.createFromSnapshot(larger, snapshot)).isNew);
  const second = spec({ size: 1 });
  await snapshots.createFromSnapshot(second, snapshot);
  t.true(await driver.hasVolume(larger));
  await snapshots.deleteSnapshot(snapshot);
  await snapshots.deleteSnapshot(snapshot);
  t.false(await snapshots.hasSnapshot(snapshot));
  t.deepEqual(await snapshots.listSnapshots(), []);
  await t.throwsAsync(snapshots.createFromSnapshot(spec({ size: 1 }), snapshot), { code: 'SnapshotMissing' });
  await driver.deleteVolume(source);
  t.deepEqual((await driver.listVolumes()).map(({ id }) => id).toSorted(), [larger.id, second.id].toSorted());
  await driver.deleteVolume(larger);
  await driver.deleteVolume(second);
  t.deepEqual([...device.zfs.datasets.keys()], ['tank']);
});

test('a clone stays when its source is deleted, and the source when its clone is; nothing is left of either', async (t) => {
  for (const order of [
    [0, 1, 2],
    [1, 0, 2],
    [2, 1, 0],
    [0, 2, 1],
  ]) {
    const { driver, device } = await made({ thin: false });
    const volumes = [spec({ size: 1 }), spec({ size: 1 }), spec({ size: 3 })] as const;
    await driver.createVolume(volumes[0]);
    t.true((await driver.cloneVolume(volumes[1], volumes[0])).isNew);
    t.false((await driver.cloneVolume(volumes[1], volumes[0])).isNew);
    await driver.cloneVolume(volumes[2], volumes[1]);
    for (const volume of volumes) t.true(await driver.hasVolume(volume));
    for (const [count, index] of order.entries()) {
      const volume = volumes[index];
      if (volume) await driver.deleteVolume(volume);
      t.is((await driver.listVolumes()).length, 2 - count);
    }
    t.deepEqual([...device.zfs.datasets.keys()], ['tank'], order.join(' '));
  }
  const { driver } = await made();
  await t.throwsAsync(driver.cloneVolume(spec(), spec()), { code: 'StorageMissing' });
});

test('a clone that was interrupted anywhere is completed by a repetition, or removed by a delete', async (t) => {
  for (const verb of ['snapshot', 'clone', 'destroy', 'set']) {
    for (const isRepeated of [true, false]) {
      const { driver, device, shell } = await made();
      const source = spec({ size: 1 });
      const clone = spec({ size: 2 });
      await driver.createVolume(source);
      const words = device.words.bind(device);
      device.words = (line) => (line[2] === verb ? refused('killed', 137) : words(line));
      await t.throwsAsync(driver.cloneVolume(clone, source), { code: 'SanCommandFailed' });
      device.words = words;
      if (isRepeated) await driver.cloneVolume(clone, source);
      t.is(await driver.hasVolume(clone), isRepeated);
      await driver.deleteVolume(clone);
      await driver.deleteVolume(source);
      t.deepEqual([...device.zfs.datasets.keys()], ['tank'], `${verb} ${shell.commands.length}`);
    }
  }
});

test('extension grows a volume, leaves a larger one, and is NoSpace beyond the pool', async (t) => {
  const { driver } = await made({ total: totalBytes });
  const volume = spec({ size: 1 });
  await t.throwsAsync(driver.extendVolume(volume), { code: 'StorageMissing' });
  await driver.createVolume(volume);
  const larger = spec({ ...volume, size: 2, sizeBytes: 2 ** 31 });
  await driver.extendVolume(larger);
  await driver.extendVolume(volume);
  t.true(await driver.hasVolume(larger));
  await t.throwsAsync(driver.extendVolume({ ...volume, sizeBytes: 3 * 2 ** 30 }), { code: 'NoSpace' });
});

test('a volume that is exported is VolumeBusy', async (t) => {
  const { driver, device } = await made();
  const volume = spec();
  await driver.createVolume(volume);
  device.comstar.stmfadm(['create-lu', driver.localPath(volume)]);
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /dataset is busy/ });
});

test('labels that do not fit a property are refused before anything is made', async (t) => {
  const { driver, device } = await made();
  await t.throwsAsync(driver.createVolume(spec({ labels: { name: 'ä'.repeat(255) } })), { code: 'InvalidArgument' });
  t.deepEqual([...device.zfs.datasets.keys()], ['tank']);
});
