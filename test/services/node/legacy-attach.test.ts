import test from 'ava';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { connectionOf } from '../../../lib/client/connection.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { errors } from '../../../lib/errors.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { usesOf } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

const owner = { userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 60_000 };
const host = { hosts: ['02:00:00:00:00:01'], hostName: 'h1' };
const other = { hosts: ['02:00:00:00:00:02'], hostName: 'h2' };

let cluster: Cluster;
let client: ClusterCommands;
let target: FakeTarget;
let node: BlockStore;
let id: string;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  target = new FakeTarget();
  node = await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { target });
  const store = await cluster.store();
  client = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
  ({ id } = await client.commands.create({ ...owner, size: 1 }, deadline));
});
test.afterEach.always(() => cluster.close());

const volume = () => volumesOf(client.store).lookup(id);
const uses = () => usesOf(client.store, id);

test.serial('a volume is reserved, connected, attached, disconnected and detached', async (t) => {
  const legacy = client.legacyAttach;
  const { id: attachment } = await legacy.reserve(id);
  t.like(await volume(), { status: 'reserved', announced: { what: 'attach', attachment } });
  await t.throwsAsync(legacy.reserve(id), { code: 'WrongStatus', message: /attaching/ });
  await t.throwsAsync(client.commands.delete(id, deadline), { code: 'VolumeReserved' });
  const connected = await legacy.connect(id, host, deadline);
  t.like(connected.use, { id: attachment, status: 'connecting', hosts: host.hosts, hostName: 'h1' });
  t.is((await connectionOf(client.store, connected, connected.use))?.driver_volume_type, 'aoe');
  t.deepEqual(target.exports.get(id)?.hosts, host.hosts);
  t.is((await legacy.connect(id, host, deadline)).use.id, attachment);
  await t.throwsAsync(legacy.connect(id, other, deadline), { code: 'WrongStatus' });
  await legacy.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  t.like(await volume(), { status: 'in-use', announced: undefined });
  t.like(await uses(), [{ status: 'attached', instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: host.hosts }]);

  await legacy.beginDetach(id);
  t.like(await volume(), { status: 'in-use', announced: { what: 'detach', attachment } });
  await t.throwsAsync(legacy.beginDetach(id), { code: 'WrongStatus', message: /detaching/ });
  const own = await legacy.attachmentOf(id, host);
  t.is(own?.id, attachment);
  t.is(await legacy.attachmentOf(id, other), undefined);
  if (own) await legacy.release(own, deadline);
  t.false(target.exports.has(id));
  t.like(await volume(), { status: 'reserved', attachStatus: 'detached', announced: { what: 'detach', attachment } });
  t.like(await uses(), [
    { id: attachment, status: 'reserved', instanceId: 'i-1', hosts: [], hostName: '', isKept: false },
  ]);
  t.is((await legacy.meant(id, undefined)).id, attachment);
  await client.attachments.delete(attachment, deadline);
  t.like(await volume(), { status: 'available', attachments: [], announced: undefined, announcedText: '' });
});

test.serial('each step can be taken back', async (t) => {
  const legacy = client.legacyAttach;
  await legacy.unreserve(id);
  await legacy.rollDetach(id);
  await legacy.reserve(id);
  await legacy.unreserve(id);
  t.like(await volume(), { status: 'available', announcedText: '' });
  await legacy.reserve(id);
  await legacy.connect(id, host, deadline);
  await legacy.unreserve(id, deadline);
  t.like(await volume(), { status: 'available', attachments: [] });
  t.false(target.exports.has(id));
  await legacy.connect(id, host, deadline); // without a reservation
  await legacy.attach(id, { instanceId: '', hostName: 'h1', mountpoint: '/dev/sda' }, deadline);
  await legacy.beginDetach(id);
  await legacy.rollDetach(id);
  t.like(await volume(), { status: 'in-use', announced: undefined });
});

test.serial('a host that has released a volume, or another one, can connect it again', async (t) => {
  const legacy = client.legacyAttach;
  await legacy.connect(id, host, deadline);
  await legacy.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const [before] = await uses();
  if (before) await legacy.release(before, deadline);
  t.like(await client.attachments.reserve(id, { id: before?.id ?? '', instanceId: 'i-1' }), { mountpoint: '/dev/vdb' });
  const moved = await legacy.connect(id, other, deadline);
  t.like(moved.use, { id: before?.id, instanceId: 'i-1', hosts: other.hosts, hostName: 'h2' });
  t.deepEqual(target.exports.get(id)?.hosts, other.hosts);
});

test.serial('a detach that fails leaves the volume attached, and can be repeated', async (t) => {
  const legacy = client.legacyAttach;
  await legacy.connect(id, host, deadline);
  const [own] = await uses();
  target.removeFault = errors.invalidArgument('export', id, 'one that can be removed');
  if (own) await t.throwsAsync(legacy.release(own, deadline), { code: 'InvalidArgument' });
  t.like(await uses(), [{ status: 'connecting', isKept: false }]);
  target.removeFault = undefined;
  if (own) await legacy.release(own, deadline);
  t.like(await uses(), [{ status: 'reserved' }]);
});

test.serial('of two clients that begin at once one succeeds', async (t) => {
  const legacy = client.legacyAttach;
  const outcomes = async (work: () => Promise<unknown>) => {
    const ended = await Promise.allSettled([work(), work(), work()]);
    return ended.filter(({ status }) => status === 'fulfilled').length;
  };
  t.is(await outcomes(() => legacy.reserve(id)), 1);
  await legacy.connect(id, host, deadline);
  await legacy.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  t.is(await outcomes(() => legacy.beginDetach(id)), 1);
});

test.serial('of several hosts that have a volume each has its own attachment', async (t) => {
  const legacy = client.legacyAttach;
  await client.commands.update(id, { isMultiattach: true });
  await legacy.connect(id, host, deadline);
  await legacy.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await legacy.reserve(id);
  await legacy.connect(id, other, deadline);
  await t.throwsAsync(legacy.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline), {
    code: 'VolumeAttached',
  });
  await legacy.attach(id, { instanceId: 'i-2', mountpoint: '/dev/vdb' }, deadline);
  t.deepEqual(target.exports.get(id)?.hosts, [...host.hosts, ...other.hosts]);
  await t.throwsAsync(legacy.meant(id, undefined), { code: 'SeveralAttachments' });
  await legacy.beginDetach(id);
  const second = await legacy.attachmentOf(id, other);
  if (second) await legacy.release(second, deadline);
  t.like(await volume(), { status: 'in-use', attachStatus: 'attached' });
  if (second) await client.attachments.delete(second.id, deadline);
  t.deepEqual(target.exports.get(id)?.hosts, host.hosts);
  const [first] = await uses();
  await client.commands.detach(id, { ...deadline, attachment: first?.id });
  t.like(await volume(), { status: 'available', announced: undefined });
});

test.serial('a host releases a volume of a lost node: the reservation stays until it is ended', async (t) => {
  const legacy = client.legacyAttach;
  const { use } = await legacy.connect(id, host, deadline);
  await node.stop();
  await declareLost(client.store, 'n1', { topic: 'volume' });
  await legacy.release(use, deadline);
  t.like(await volume(), { status: 'error', attachStatus: 'detached', attachments: [use.id] });
  t.like(await uses(), [{ id: use.id, status: 'reserved', hosts: [], hostName: '', isKept: false }]);
  t.is((await legacy.meant(id, undefined)).id, use.id, 'the detach that follows finds it');
  await client.attachments.delete(use.id, deadline);
  t.like(await volume(), { status: 'error', attachments: [] });
});

test.serial('a release that is under way when its node is declared lost keeps the reservation', async (t) => {
  const legacy = client.legacyAttach;
  const { use } = await legacy.connect(id, host, deadline);
  await node.stop();
  const released = legacy.release(use, deadline);
  await until(async () => (await volume()).attachStatus === 'detaching', 'it has begun');
  await declareLost(client.store, 'n1', { topic: 'volume' });
  await released.catch(() => undefined);
  t.like(await volume(), { status: 'error', attachStatus: 'detached', attachments: [use.id] });
  t.like(await uses(), [{ id: use.id, status: 'reserved', hosts: [], hostName: '', isKept: false }]);
  await client.attachments.delete(use.id, deadline);
  t.like(await volume(), { status: 'error', attachments: [] });
});
