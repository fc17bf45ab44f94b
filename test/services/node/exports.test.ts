import test from 'ava';
import { createType } from '../../../lib/client/types.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { disagreements } from '../../support/agreement.ts';
import type { ExportSpec } from '../../../lib/targets/target.ts';
import { instancesOf, usesOf } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** A volume is exported while it is attached, to the host that it is attached to. */

let cluster: Cluster;
let driver: FakeDriver;
let target: FakeTarget;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  driver = new FakeDriver();
  target = new FakeTarget();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
const rarely = { report_interval: '600', node_down_time: '3600' };

async function agreement(exportsUnattached = false): Promise<string[]> {
  const exports = [...target.exports.values()];
  const volumes = await driver.listVolumes();
  return disagreements(await cluster.store(), [{ node: 'n1', volumes, exports, exportsUnattached }]);
}

test.serial('a volume is exported from its attach to its detach, with the rights of the attachment', async (t) => {
  await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const { id, address } = await commands.create(newVolume, deadline);
  t.is(address, 'e1.0');
  t.deepEqual([...target.exports], [], 'an unattached volume is exported to nobody');
  const hosts = ['52:54:00:00:00:01'];
  await commands.attach(id, { ...attachment, mode: 'ro', hosts }, deadline);
  t.deepEqual([...target.exports.values()], [{ id, path: `fake:volume-${id}`, address, readOnly: true, hosts }]);
  t.deepEqual(await agreement(), []);
  await commands.detach(id, deadline);
  t.deepEqual([...target.exports], []);
  await commands.attach(id, attachment, deadline);
  t.like(target.exports.get(id), { readOnly: false, hosts: [] }, 'the next attachment has rights of its own');
  await commands.detach(id, deadline);
  await commands.delete(id, deadline);
  t.deepEqual(await agreement(), []);
});

test.serial(
  'an export that cannot be ended is a problem of its node, which starts and serves the others',
  async (t) => {
    const often = { report_interval: '1', node_down_time: '60' };
    const before = await cluster.node('n1', often, { driver, target });
    const commands = await cluster.commands();
    const hung = await commands.create(newVolume, deadline);
    const other = await commands.create(newVolume, deadline);
    await commands.attach(hung.id, attachment, deadline);
    const store = await cluster.store();
    await before.stop();
    const { keys, redis } = store;
    await redis.hset(keys.volume(hung.id), { status: 'error_deleting', attachStatus: 'detached' });
    target.removeFault = errors.exportStays(hung.id, 4711);
    await cluster.node('n1', often, { driver, target });
    t.is((await commands.attach(other.id, attachment, deadline)).attachStatus, 'attached');
    const problems = async () => (await redis.hget(keys.node('n1'), 'problems')) ?? '';
    await until(async () => (await problems()).includes('4711'), 'it is reported');
    target.removeFault = undefined;
    await until(() => !target.exports.has(hung.id), 'it is ended without a restart');
    await until(async () => !(await problems()).includes('4711'), 'and no problem any longer');
  },
);

test.serial('with export_unattached volumes are exported as long as they exist, to all while unattached', async (t) => {
  const flags = { ...rarely, export_unattached: 'true' };
  const node = await cluster.node('n1', flags, { driver, target });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const open = { readOnly: false, hosts: [] };
  t.like(target.exports.get(id), open);
  const hosts = ['52:54:00:00:00:01'];
  await commands.attach(id, { ...attachment, mode: 'ro', hosts }, deadline);
  t.like(target.exports.get(id), { readOnly: true, hosts });
  await commands.detach(id, deadline);
  t.like(target.exports.get(id), open);
  t.deepEqual(await agreement(true), []);
  await node.stop();
  t.true(target.exports.has(id), 'exports outlive the daemon');
  target.exports.clear(); // a reboot
  await cluster.node('n1', flags, { driver, target });
  t.true(target.exports.has(id), 'a start starts them');
  await commands.delete(id, deadline);
  t.deepEqual([...target.exports], []);
});

test.serial('a start restores the exports of attached volumes, and no others', async (t) => {
  const node = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const [attached] = [await commands.create(newVolume, deadline), await commands.create(newVolume, deadline)];
  await commands.attach(attached.id, { ...attachment, hosts: ['52:54:00:00:00:01'] }, deadline);
  await node.stop();
  const before = [...target.exports.values()];
  target.exports.clear(); // a reboot
  await cluster.node('n1', rarely, { driver, target });
  t.deepEqual([...target.exports.values()], before);
});

test.serial('an attachment that Redis lost is recorded again while its export runs', async (t) => {
  const before = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, { ...attachment, mode: 'ro', hosts: ['52:54:00:00:00:01'] }, deadline);
  await before.stop();
  const { redis } = await cluster.store();
  await redis.flushall();
  const node = await cluster.node('n1', rarely, { driver, target });
  t.like(await node.getVolume(id), {
    status: 'in-use',
    attachStatus: 'attached',
    attachMode: 'ro',
    attachHosts: ['52:54:00:00:00:01'],
  });
  t.deepEqual(await instancesOf(await cluster.store(), id), ['unknown']);
  t.true(target.exports.has(id));
  await t.throwsAsync(commands.delete(id, deadline), { code: 'VolumeAttached' });
  await commands.detach(id, deadline);
  t.deepEqual([...target.exports], []);
  t.deepEqual(await agreement(), []);
});

test.serial('an export that died is restored with a report, which reads no other record', async (t) => {
  await cluster.node('n1', {}, { driver, target });
  const commands = await cluster.commands();
  const volumes = await Promise.all([1, 2, 3, 4].map(() => commands.create(newVolume, deadline)));
  const ids = volumes.map(({ id }) => id);
  for (const id of ids) await commands.attach(id, attachment, deadline);
  const store = await cluster.store();
  const monitor = await store.redis.monitor();
  t.teardown(() => monitor.disconnect());
  const read = new Set<string>();
  monitor.on('monitor', (_time: string, [, key = '']: string[]) => {
    const id = /:volume:(.+)$/.exec(key)?.[1];
    if (id !== undefined) read.add(id);
  });
  const [died = ''] = ids;
  target.exports.delete(died);
  await until(() => target.exports.has(died), 'it is exported again');
  t.deepEqual([...read], [died]);
  t.deepEqual(await agreement(), []);
});

test.serial('an attach that fails leaves error_attaching and no export; attaching again repairs it', async (t) => {
  const node = await cluster.node('n1', { num_shell_tries: '1' }, { driver, target });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  target.exportFault = errors.exportFailed(id, 'interface down');
  await t.throwsAsync(commands.attach(id, attachment, deadline), { code: 'ExportFailed' });
  t.like(await node.getVolume(id), {
    status: 'error_attaching',
    attachStatus: 'detached',
    attachments: [],
    fault: { code: 'ExportFailed', step: 'export' },
  });
  t.deepEqual([...target.exports], []);
  target.exportFault = undefined;
  t.like(await commands.attach(id, attachment, deadline), {
    status: 'in-use',
    attachStatus: 'attached',
    fault: undefined,
  });
});

test.serial('a detach that cannot end the export leaves the volume attached, and can be repeated', async (t) => {
  const node = await cluster.node('n1', { ...rarely, num_shell_tries: '1' }, { driver, target });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  target.removeFault = errors.exportFailed(id, 'it does not end');
  await t.throwsAsync(commands.detach(id, deadline), { code: 'ExportFailed' });
  t.like(await node.getVolume(id), { status: 'error_detaching', attachStatus: 'attached' });
  t.like(await usesOf(await cluster.store(), id), [{ status: 'attached', instanceId: 'i-1' }]);
  target.removeFault = undefined;
  t.like(await commands.detach(id, deadline), { status: 'available', attachStatus: 'detached', fault: undefined });
  t.deepEqual([...target.exports], []);
});

test.serial('an export that runs without storage or record is ended at a start', async (t) => {
  target.exports.set('gone', { id: 'gone', address: 'e1.7', path: '/x', readOnly: false, hosts: [] });
  const foreign = { address: 'e1.8', path: '/y', readOnly: false, hosts: [] };
  target.exports.set('not ours', foreign);
  await cluster.node('n1', rarely, { driver, target });
  t.deepEqual([...target.exports.values()], [foreign]);
});

test.serial('an export whose start hangs does not delay the restoration of others', async (t) => {
  const gate = Promise.withResolvers<void>();
  let starts = 0;
  class HangingTarget extends FakeTarget {
    isHanging = false;

    override async ensureExport(spec: ExportSpec): Promise<void> {
      starts += 1;
      if (this.isHanging && starts === 1) await gate.promise;
      await super.ensureExport(spec);
    }
  }
  const hanging = new HangingTarget();
  await cluster.node('n1', { export_unattached: 'true' }, { driver, target: hanging });
  const commands = await cluster.commands();
  for (let count = 0; count < 3; count += 1) await commands.create(newVolume, deadline);
  hanging.isHanging = true;
  starts = 0;
  hanging.exports.clear();
  await until(() => hanging.exports.size === 2, 'the others are exported again', 10_000);
  gate.resolve();
  await until(() => hanging.exports.size === 3, 'all are exported', 10_000);
  t.pass();
});

test.serial('an audit compares the limits of an export, where its target shows them', async (t) => {
  await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const { id: type } = await createType(await cluster.store(), { name: 'slow', requirements: {}, iops: 500 });
  const limited = await commands.create({ ...newVolume, type }, deadline);
  const free = await commands.create(newVolume, deadline);
  for (const { id } of [limited, free]) await commands.attach(id, attachment, deadline);
  const nodes = await cluster.nodeCommands();
  const audit = async (repair: boolean) => {
    const { findings } = await nodes.audit('n1', { repair, remove: [] }, deadline);
    return findings.map(({ object, what }) => `${object} ${what}`);
  };
  const show = ({ id }: { id: string }, iops: number | undefined) => {
    const found = target.exports.get(id);
    if (found) target.exports.set(id, { ...found, limits: { iops, bytesPerSecond: undefined } });
  };
  show(free, undefined);
  t.deepEqual(await audit(false), []);
  show(free, 10);
  show(limited, undefined);
  const found = [free, limited].map(({ id }) => `volume ${id} is exported with other limits than its record has`);
  t.deepEqual((await audit(true)).toSorted(), found.toSorted());
  t.false(Object.hasOwn(target.exports.get(free.id) ?? {}, 'limits'));
  t.like(target.exports.get(limited.id), { limits: { iops: 500 } });
  t.deepEqual(await audit(false), []);
});
