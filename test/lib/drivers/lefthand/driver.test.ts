import { randomUUID } from 'node:crypto';
import test from 'ava';
import { LefthandDriver } from '../../../../lib/drivers/lefthand/driver.ts';
import { asError } from '../../../../lib/errors.ts';
import { Cliq, cliqDialect } from '../../../../lib/san/lefthand/cliq.ts';
import { LefthandTarget } from '../../../../lib/targets/lefthand/target.ts';
import { DirectShell } from '../../../support/fake-san/direct-shell.ts';
import { LefthandDevice } from '../../../support/fake-san/lefthand-device.ts';
import { spec } from '../conformance.ts';

const hosts = ['iqn.1993-08.org.debian:01:one', 'iqn.1993-08.org.debian:01:two'];

function made({ device = new LefthandDevice(), node = 'n1', cluster = 'c1' } = {}) {
  const shell = new DirectShell(device);
  const driver = new LefthandDriver(shell, { cluster, thin: true, node });
  return {
    device,
    shell,
    driver,
    target: new LefthandTarget(shell, { cluster, node, chap: false, directory: '/nonexistent/lefthand' }),
  };
}

test('volumes, snapshots and clones stay whatever is deleted, in any order, and nothing is left of them', async (t) => {
  for (const order of [
    [0, 1, 2],
    [1, 0, 2],
    [2, 1, 0],
    [0, 2, 1],
  ]) {
    const { device, driver } = made();
    const volumes = [spec({ size: 1 }), spec({ size: 1 }), spec({ size: 3 })] as const;
    await driver.createVolume(volumes[0]);
    const snapshot = { id: randomUUID(), volume: volumes[0], labels: { name: 'weekly' } };
    await driver.snapshots.createSnapshot(snapshot);
    await driver.snapshots.createSnapshot(snapshot);
    t.deepEqual(await driver.snapshots.listSnapshots(), [
      { id: snapshot.id, volumeId: volumes[0].id, sizeBytes: 2 ** 30, labels: snapshot.labels },
    ]);
    await t.throwsAsync(driver.deleteVolume(volumes[0]), { code: 'VolumeBusy', message: /snap-/ });
    t.true((await driver.snapshots.createFromSnapshot(volumes[1], snapshot)).isNew);
    t.false((await driver.snapshots.createFromSnapshot(volumes[1], snapshot)).isNew);
    await driver.snapshots.deleteSnapshot(snapshot);
    t.false(await driver.snapshots.hasSnapshot(snapshot));
    await driver.cloneVolume(volumes[2], volumes[1]);
    t.true(await driver.hasVolume(volumes[2]));
    for (const [count, index] of order.entries()) {
      const volume = volumes[index];
      if (volume) await driver.deleteVolume(volume);
      t.is((await driver.listVolumes()).length, 2 - count);
    }
    t.deepEqual([...device.volumes.keys()], [], order.join(' '));
  }
});

test('volumes of another node in the cluster, and of nobody, are left alone', async (t) => {
  const { device, driver } = made();
  const other = made({ device, node: 'n2' });
  const volume = spec();
  await other.driver.createVolume(volume);
  t.deepEqual(await driver.listVolumes(), []);
  await t.throwsAsync(driver.createVolume(volume), { code: 'VolumeExists' });
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy' });
  await t.throwsAsync(made({ cluster: 'c2' }).driver.setup(), { code: 'StorageUnusable', message: /c2/ });
});

test('volumes of a cluster that was renamed are not taken for deleted', async (t) => {
  const { device, driver, target } = made();
  const volume = spec();
  await driver.createVolume(volume);
  device.cluster = 'renamed';
  const expected = { code: 'StorageUnusable', message: /LeftHand cluster c1/ };
  await t.throwsAsync(driver.hasVolume(volume), expected);
  await t.throwsAsync(driver.deleteVolume(volume), expected);
  await t.throwsAsync(driver.snapshots.listSnapshots(), expected);
  await t.throwsAsync(target.listExports(), expected);
  device.cluster = 'c1';
  t.true(await driver.hasVolume(volume));
});

test('a description that the storage cuts is an error, not a volume without labels', async (t) => {
  const { device, driver } = made();
  device.longestDescription = 20;
  await t.throwsAsync(driver.createVolume(spec()), { code: 'AnswerUnreadable', message: /without its description/ });
});

test('a description has space for what clones and deletions add; a longer one is refused before anything is made', async (t) => {
  const lengths = { kept: 0, refused: 0 };
  // In steps of less than a deletion adds, up to more than a description has.
  for (let length = 700; length <= 1000; length += 5) {
    const { device, driver } = made();
    const labelled = () => spec({ labels: { name: 'x'.repeat(length) } });
    const [source, copy, second] = [labelled(), labelled(), labelled()];
    const isRefused = await driver.createVolume(source).then(
      () => false,
      (error: unknown) => asError(error).code === 'InvalidArgument',
    );
    if (isRefused) {
      await driver.createVolume({ ...source, labels: {} });
      await t.throwsAsync(driver.cloneVolume(copy, source), { code: 'InvalidArgument' });
      lengths.refused += 1;
    } else {
      await driver.cloneVolume(copy, source);
      await driver.cloneVolume(second, copy);
      t.deepEqual(
        (await driver.listVolumes()).map(({ labels }) => labels),
        [source, copy, second].map(({ labels }) => labels),
      );
      lengths.kept += 1;
    }
    for (const volume of [source, copy, second]) await driver.deleteVolume(volume);
    t.deepEqual([...device.volumes.keys()], [], `${length}`);
  }
  t.true(lengths.kept > 10 && lengths.refused > 10, JSON.stringify(lengths));
});

test('a volume is exported to its hosts, at the address that the storage gave it, with their rights', async (t) => {
  const { device, driver, target } = made();
  await target.setup();
  const volume = spec();
  t.is(await target.findAddress(volume.id), undefined);
  await driver.createVolume(volume);
  const address = (await target.findAddress(volume.id)) ?? '';
  t.is(address, `192.0.2.6:3260,1 iqn.2003-10.com.lefthandnetworks:group01:25366:volume-${volume.id} 0`);
  const path = driver.localPath(volume);
  const exported = { id: volume.id, path, address, readOnly: false, hosts: hosts.slice(0, 1) };
  const assigned = () => [...(device.volumes.get(path)?.servers ?? [])];
  await t.throwsAsync(target.ensureExport({ ...exported, hosts: [] }), { code: 'ExportFailed' });
  await target.ensureExport(exported);
  await target.ensureExport(exported);
  t.deepEqual(assigned(), [[hosts[0], 'rw']]);
  t.deepEqual(await target.listExports(), [exported]);
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy' });
  await target.ensureExport({ ...exported, readOnly: true, hosts: hosts.slice(1) });
  t.deepEqual(assigned(), [[hosts[1], 'r']]);
  await target.removeExport(volume.id);
  await target.removeExport(volume.id);
  t.deepEqual(assigned(), []);
  device.virtualAddresses = ['192.0.2.6', '192.0.2.7'];
  await t.throwsAsync(made({ device }).target.setup(), { code: 'StorageUnusable', message: /2 virtual addresses/ });
});

test('an answer that is not one whole answer is AnswerUnreadable, and a result other than 0 its description', async (t) => {
  const whole = new LefthandDevice().run('getClusterInfo clusterName=c1').stdout;
  const unreadable = [
    '',
    whole.slice(0, -12),
    `CLIQ> ${whole}`,
    `${whole}x`,
    whole.replace('result=', 'r='),
    '<gauche/>',
    '<gauche><a></b></gauche>',
  ];
  for (const stdout of unreadable) {
    const cliq = new Cliq(new DirectShell({ words: () => ({ stdout, stderr: '', exitCode: 0 }) }));
    await t.throwsAsync(cliq.run('getVolumeInfo'), { code: 'AnswerUnreadable' }, stdout);
  }
  const cliq = new Cliq(new DirectShell(new LefthandDevice()));
  await t.throwsAsync(cliq.run('getVolumeInfo', { volumeName: 'x' }), {
    code: 'SanCommandFailed',
    message: /^"getVolumeInfo volumeName=x" failed.*Volume 'x' not found/,
  });
  for (const odd of ['a b', 'a;b', "a'b", 'a"b', 'a\nb', 'a&b', 'ä', '$a', '']) {
    t.throws(() => cliqDialect.line(['getVolumeInfo', odd]), { code: 'InvalidArgument' });
  }
});
