import test from 'ava';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { createType, updateType } from '../../../lib/client/types.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { attachmentsOf } from '../../../lib/models/attachment.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import {
  type AttachmentPlace,
  at,
  attachmentPlace,
  deadline,
  hostA,
  hostB,
  newVolume,
  rarely,
} from '../../support/attachment-place.ts';
import { instancesOf, usesOf } from '../../support/attachments.ts';
import { FakeTarget, OwnAddressTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Volumes that several hosts have. */

let cluster: AttachmentPlace['cluster'];
let store: AttachmentPlace['store'];
let driver: AttachmentPlace['driver'];
let target: AttachmentPlace['target'];
let commands: AttachmentPlace['commands'];
let attachments: AttachmentPlace['attachments'];
let agreement: AttachmentPlace['agreement'];
let shared: AttachmentPlace['shared'];

test.beforeEach(async () => {
  ({ cluster, store, driver, target, commands, attachments, agreement, shared } = await attachmentPlace());
});
test.afterEach.always(() => cluster.close());

const patient = { deadlineMs: 120_000 };

test.serial('several hosts have a multiattach volume, each until its own attachment ends', async (t) => {
  const { id, a, b } = await shared();
  t.deepEqual(target.exports.get(id)?.hosts, [hostA, hostB]);
  t.deepEqual(await agreement(), []);
  await t.throwsAsync(commands.detach(id, deadline), { code: 'SeveralAttachments', message: /: a, b$/ });
  await t.throwsAsync(commands.detach(id, { ...deadline, instance: 'c' }), { code: 'VolumeNotAttached' });
  await t.throwsAsync(commands.delete(id, deadline), { code: 'VolumeAttached', message: /attached to a, b$/ });
  t.like(await commands.detach(id, { ...deadline, attachment: a }), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(target.exports.get(id)?.hosts, [hostB], 'the host that has left is not admitted any more');
  t.deepEqual(await agreement(), []);
  await t.throwsAsync(commands.detach(id, { ...deadline, attachment: a }), { code: 'VolumeNotAttached' });
  t.like(await commands.detach(id, { ...deadline, instance: 'b' }), { status: 'available', attachments: [] });
  t.false(target.exports.has(id));
  t.is(await attachmentsOf(store).find(b), undefined);
  await commands.delete(id, deadline);
  t.deepEqual(await agreement(), []);
});

test.serial('a host of a volume whose storage is inactive is detached, and the others have it again', async (t) => {
  const { id, a } = await shared();
  let isActive = false; // somebody has deactivated the group, say
  const [ensureVolume, ensureExport] = [driver.ensureVolume.bind(driver), target.ensureExport.bind(target)];
  driver.ensureVolume = async (spec) => {
    await ensureVolume(spec);
    isActive = true;
  };
  target.ensureExport = async (spec) => {
    if (!isActive) throw errors.exportFailed(spec.id, 'its device is not there');
    await ensureExport(spec);
  };
  target.exports.delete(id);
  t.like(await commands.detach(id, { ...deadline, attachment: a }), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(target.exports.get(id)?.hosts, [hostB]);
  t.deepEqual(await agreement(), []);
});

test.serial('what cannot be beside another attachment is refused', async (t) => {
  const { id } = await shared();
  await t.throwsAsync(commands.attach(id, at('a', '52:54:00:00:00:03'), deadline), { code: 'VolumeAttached' });
  await t.throwsAsync(commands.attach(id, { ...at('c', hostA), mode: 'ro' }, deadline), {
    code: 'VolumeAttached',
    message: /with mode rw/,
  });
  const machine = { ...at('c', '52:54:00:00:00:03'), hostId: 'f'.repeat(32) };
  const { use } = await commands.attach(id, machine, deadline);
  await t.throwsAsync(commands.attach(id, { ...machine, instanceId: 'd' }, deadline), {
    code: 'VolumeAttached',
    message: /attached to c$/,
  });
  await t.throwsAsync(commands.update(id, { isMultiattach: false }), { code: 'VolumeAttached' });
  await commands.detach(id, { ...deadline, attachment: use.id });
  const { id: single } = await commands.create(newVolume, deadline);
  await commands.attach(single, at('a', hostA), deadline);
  await t.throwsAsync(commands.attach(single, at('b', hostB), deadline), { code: 'VolumeAttached' });
  t.deepEqual(await agreement(), []);
});

test.serial('a second attach that fails leaves the first one as it is', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  await commands.attach(id, at('a', hostA), deadline);
  const exported = target.exports.get(id);
  const ensure = target.ensureExport.bind(target);
  target.ensureExport = async (spec) => {
    await ensure(spec);
    if (spec.hosts.includes(hostB)) throw errors.exportFailed(id, 'no room for a further host');
  };
  await t.throwsAsync(commands.attach(id, at('b', hostB), deadline), { code: 'ExportFailed' });
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(await instancesOf(store, id), ['a']);
  t.deepEqual(target.exports.get(id), exported);
  t.deepEqual(await agreement(), []);
});

test.serial('a detach that cannot close the export leaves the attachment, and can be repeated', async (t) => {
  const { id, a } = await shared();
  const ensure = target.ensureExport.bind(target);
  target.ensureExport = async () => {
    throw errors.exportFailed(id, 'it hangs');
  };
  await t.throwsAsync(commands.detach(id, { ...deadline, attachment: a }), { code: 'ExportFailed' });
  t.like(await volumesOf(store).lookup(id), { status: 'error_detaching', attachHosts: [hostA, hostB] });
  t.deepEqual(await usesOf(store, id).then((uses) => uses.map(({ status }) => status)), ['attached', 'attached']);
  target.ensureExport = ensure;
  t.like(await commands.detach(id, { ...deadline, attachment: a }), { status: 'in-use', fault: undefined });
  t.deepEqual(target.exports.get(id)?.hosts, [hostB]);
  t.deepEqual(await agreement(), []);
});

test.serial('one host for all makes an export for all, which ends with it', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  await commands.attach(id, at('a', hostA), deadline);
  const { use } = await commands.attach(id, { instanceId: 'b', mountpoint: '/dev/vdb' }, deadline);
  t.deepEqual(target.exports.get(id)?.hosts, []);
  await commands.detach(id, { ...deadline, attachment: use.id });
  t.deepEqual(target.exports.get(id)?.hosts, [hostA]);
  t.deepEqual(await agreement(), []);
});

test.serial('of many that reserve or attach at once, one has the volume', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  const attempts = Array.from({ length: 20 }, (_, index) =>
    (index % 2 === 0
      ? attachments.reserve(id, { instanceId: `i-${index}` })
      : commands.attach(id, at(`i-${index}`, hostA), deadline)
    ).then(
      () => [`i-${index}`],
      () => [],
    ),
  );
  const winners = (await Promise.all(attempts)).flat();
  t.is(winners.length, 1);
  t.deepEqual(await instancesOf(store, id), winners);
  t.deepEqual(await agreement(), []);
});

test.serial('a volume has at most 64 attachments', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  for (let count = 0; count < 64; count += 1) await attachments.reserve(id, { instanceId: `i-${count}` });
  await t.throwsAsync(attachments.reserve(id, { instanceId: 'i-64' }), { code: 'TooManyAttachments' });
  await t.throwsAsync(commands.attach(id, at('i-64', hostA), deadline), { code: 'TooManyAttachments' });
});

test.serial('a volume becomes one of several hosts only where its backend can do that', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  t.true((await commands.update(id, { isMultiattach: true })).isMultiattach);
  t.false((await commands.update(id, { isMultiattach: false })).isMultiattach);
  const without = new FakeDriver();
  Object.assign(without.capabilities, { multiattach: false });
  await cluster.node('n2', rarely, { driver: without, target: new FakeTarget() });
  const other = await commands.create({ ...newVolume, node: 'n2' }, deadline);
  await t.throwsAsync(commands.update(other.id, { isMultiattach: true }), { code: 'NotCapable' });
  const request = { ...newVolume, node: 'n2', isMultiattach: true };
  await t.throwsAsync(commands.create(request, deadline), { message: /its multiattach is no, not yes/ });
});

test.serial('a further attach that fails, and cannot be undone, leaves an attachment to detach', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  await commands.attach(id, at('a', hostA), deadline);
  const ensure = target.ensureExport.bind(target);
  target.ensureExport = async (spec) => {
    if (spec.hosts.includes(hostB)) await ensure(spec);
    throw errors.exportFailed(id, 'it hangs');
  };
  await t.throwsAsync(commands.attach(id, at('b', hostB), deadline), { code: 'ExportFailed' });
  t.like(await volumesOf(store).lookup(id), { status: 'error_detaching', attachHosts: [hostA, hostB] });
  target.ensureExport = ensure;
  await commands.detach(id, { ...deadline, instance: 'b' });
  t.deepEqual(target.exports.get(id)?.hosts, [hostA]);
  t.deepEqual(await agreement(), []);
});

/** A host is admitted before its attach fails, and is not closed out again. */
function failHalfway(of: FakeTarget): () => void {
  const ensure = of.ensureExport.bind(of);
  of.ensureExport = async (spec) => {
    await ensure(spec);
    throw errors.exportFailed(spec.id, 'half of it');
  };
  of.removeFault = errors.exportFailed('of a test', 'it hangs');
  return () => {
    of.ensureExport = ensure;
    of.removeFault = undefined;
  };
}

test.serial(
  'an attach beside a reservation that fails, and cannot be undone, leaves an attachment to detach',
  async (t) => {
    const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
    const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
    const goOn = failHalfway(target);
    await t.throwsAsync(commands.attach(id, at('b', hostB), deadline), { code: 'ExportFailed' });
    t.deepEqual(target.exports.get(id)?.hosts, [hostB]);
    t.like(await volumesOf(store).lookup(id), {
      status: 'error_detaching',
      attachStatus: 'attached',
      attachHosts: [hostB],
      fault: { code: 'ExportFailed' },
    });
    t.deepEqual(await instancesOf(store, id), ['c', 'b']);
    t.like((await usesOf(store, id))[1], { instanceId: 'b', fault: { code: 'ExportFailed' } });
    goOn();
    t.like(await commands.detach(id, deadline), { status: 'reserved', attachments: [reserved] });
    t.false(target.exports.has(id));
    t.deepEqual(await agreement(), []);
  },
);

test.serial('the record of a host that a failed attach has left in the export has its secret', async (t) => {
  const own = new OwnAddressTarget();
  await cluster.node('n2', rarely, { driver: new FakeDriver(), target: own });
  const { id } = await commands.create({ ...newVolume, node: 'n2', isMultiattach: true }, deadline);
  await attachments.reserve(id, { instanceId: 'c' });
  failHalfway(own);
  await t.throwsAsync(commands.attach(id, { ...at('b', hostB), hosts: ['iqn.b'] }, deadline), { code: 'ExportFailed' });
  const { chap } = await volumesOf(store).lookup(id);
  t.truthy(chap);
  t.deepEqual(own.exports.get(id)?.chap, chap);
});

test.serial(
  'a host that a failed attach has left in the export is closed out, also from a volume reserved since',
  async (t) => {
    const left = new FakeTarget();
    const often = { report_interval: '2', node_down_time: '60', num_shell_tries: '1' };
    await cluster.node('n2', often, { driver: new FakeDriver(), target: left });
    const { id } = await commands.create({ ...newVolume, node: 'n2' }, deadline);
    const goOn = failHalfway(left);
    await t.throwsAsync(commands.attach(id, at('b', hostB), deadline), { code: 'ExportFailed' });
    await attachments.reserve(id, { instanceId: 'c' });
    t.true(left.exports.has(id));
    goOn();
    await until(() => !left.exports.has(id), 'its host is closed out');
    t.like(await volumesOf(store).lookup(id), { status: 'reserved' });
  },
);

test.serial('an attach that could not be undone has failed also for a requester whose reply is lost', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  const { use: a } = await commands.attach(id, at('a', hostA), deadline);
  const ensure = target.ensureExport.bind(target);
  target.ensureExport = async (spec) => {
    if (spec.hosts.includes(hostB)) await ensure(spec);
    throw errors.exportFailed(id, 'it hangs');
  };
  const deaf = await cluster.store();
  Object.assign(deaf.keys, { replies: () => 'nobody' });
  const attached = new VolumeCommands(deaf, new RequestClient(deaf), 'volume').attach(id, at('b', hostB), patient);
  attached.catch(() => undefined); // it may fail before it is awaited
  const isLeft = async () => (await volumesOf(store).lookup(id)).status === 'error_detaching';
  await until(isLeft, 'the attach has failed');
  target.ensureExport = ensure;
  await commands.detach(id, { ...deadline, attachment: a.id }); // the volume has no fault after that
  await t.throwsAsync(attached, { code: 'ExportFailed', message: /it hangs/ });
  const [b] = await usesOf(store, id);
  t.like(b, { instanceId: 'b', status: 'attached', fault: { code: 'ExportFailed' } });
  t.deepEqual(await agreement(), []);
  await commands.detach(id, { ...deadline, instance: 'b' });
  t.like(await volumesOf(store).lookup(id), { status: 'available', attachments: [] });
  t.deepEqual(await agreement(), []);
});

test.serial(
  'an attachment that is left by a failed attach keeps no fault of that once its detach begins',
  async (t) => {
    const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
    await commands.attach(id, at('a', hostA), deadline);
    const ensure = target.ensureExport.bind(target);
    target.ensureExport = async (spec) => {
      if (spec.hosts.includes(hostB)) await ensure(spec);
      throw errors.exportFailed(id, 'it hangs');
    };
    await t.throwsAsync(commands.attach(id, at('b', hostB), deadline), { code: 'ExportFailed' });
    const faultOf = async () => (await usesOf(store, id)).find(({ instanceId }) => instanceId === 'b')?.fault;
    t.like(await faultOf(), { code: 'ExportFailed', step: 'export' });
    await t.throwsAsync(commands.detach(id, { ...deadline, instance: 'b' }), { code: 'ExportFailed' });
    t.is(await faultOf(), undefined);
    t.like(await volumesOf(store).lookup(id), { fault: { code: 'ExportFailed' } });
  },
);

test.serial('an export admits at most 32 Ethernet addresses, whichever attachments have them', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  const hosts = (from: number) =>
    Array.from({ length: 20 }, (_, index) => `52:54:00:00:01:${(from + index).toString(16).padStart(2, '0')}`);
  await commands.attach(id, { instanceId: 'a', mountpoint: '/dev/vdb', hosts: hosts(0) }, deadline);
  await t.throwsAsync(commands.attach(id, { instanceId: 'b', mountpoint: '/dev/vdb', hosts: hosts(50) }, deadline), {
    code: 'TooManyAttachments',
    message: /would have 40 Ethernet addresses/,
  });
});

test.serial('what a type says holds for attachments that are made later: limits, and several hosts', async (t) => {
  const { id: type } = await createType(store, { name: 'shared', requirements: { multiattach: 'yes' }, iops: 500 });
  const volume = await commands.create({ ...newVolume, type }, deadline);
  const { id } = volume;
  t.true(volume.isMultiattach);
  const { limits } = await commands.attach(id, at('a', hostA), deadline);
  t.deepEqual(limits, { iops: 500, bytesPerSecond: undefined });
  t.like(target.exports.get(id), { limits });
  await updateType(store, type, { iops: 0, bytesPerSecond: 2 ** 20 });
  t.like(target.exports.get(id), { limits }, 'not before the next one');
  t.like(await commands.attach(id, at('b', hostB), deadline), { limits }, 'a further host gets those of the first');
  t.like(target.exports.get(id), { limits, hosts: [hostA, hostB] });
  await commands.detach(id, { ...deadline, instance: 'a' });
  t.like(target.exports.get(id), { limits, hosts: [hostB] });
  await commands.detach(id, { ...deadline, instance: 'b' });
  t.deepEqual((await volumesOf(store).lookup(id)).limits, { iops: undefined, bytesPerSecond: undefined });
  await commands.attach(id, at('b', hostB), deadline);
  t.like(target.exports.get(id), { limits: { iops: undefined, bytesPerSecond: 2 ** 20 } });
  await commands.detach(id, deadline);
  await updateType(store, type, { bytesPerSecond: 0 });
  await commands.attach(id, at('a', hostA), deadline);
  t.false(Object.hasOwn(target.exports.get(id) ?? {}, 'limits'));
  await updateType(store, type, { iops: 100 });
  await commands.attach(id, at('b', hostB), deadline);
  t.false(
    Object.hasOwn(target.exports.get(id) ?? {}, 'limits'),
    'nor does a host without limits get those of a later one',
  );
  await t.throwsAsync(updateType(store, type, { iops: -1 }), { code: 'InvalidArgument' });
});

test.serial('requests for a volume of several hosts at the same moment have their turns', async (t) => {
  const { id, a, b } = await shared();
  const instances = Array.from({ length: 30 }, (_, index) => `i-${index}`);
  const address = (index: number) => `52:54:00:00:01:${index.toString(16).padStart(2, '0')}`;
  await Promise.all([
    commands.detach(id, { ...patient, attachment: a }),
    ...instances.map((instance, index) => commands.attach(id, at(instance, address(index)), patient)),
    attachments.reserve(id, { instanceId: 'kept' }, patient),
    commands.detach(id, { ...patient, attachment: b }),
  ]);
  t.deepEqual((await instancesOf(store, id)).toSorted(), [...instances, 'kept'].toSorted());
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(await agreement(), []);
  await Promise.all(instances.map((instance) => commands.detach(id, { ...patient, instance })));
  t.deepEqual(await instancesOf(store, id), ['kept']);
  t.deepEqual(await agreement(), []);
});

test.serial('a request waits for the turn of another one until its time limit, without one not at all', async (t) => {
  const { id, a, b } = await shared();
  const { promise, resolve } = Promise.withResolvers<void>();
  t.teardown(resolve);
  const ensure = target.ensureExport.bind(target);
  target.ensureExport = async (spec) => {
    await promise; // it hangs
    await ensure(spec);
  };
  const first = commands.detach(id, { ...patient, attachment: a });
  await until(async () => (await volumesOf(store).lookup(id)).attachStatus === 'detaching', 'it is being detached');
  const refused = { code: 'WrongStatus', message: /detach/ };
  await t.throwsAsync(commands.attach(id, at('c', hostA)), refused);
  await t.throwsAsync(attachments.reserve(id, { instanceId: 'c' }), refused);
  const began = performance.now();
  await t.throwsAsync(commands.detach(id, { deadlineMs: 1000, attachment: b }), refused);
  t.true(performance.now() - began >= 1000);
  t.deepEqual(await instancesOf(store, id), ['a', 'b']);
  resolve();
  await first;
});
