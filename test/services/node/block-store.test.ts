import test from 'ava';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';

/** The 2010 test case by name, on a real redis-server, and what that time left open. */

let cluster: Cluster;
test.before(async () => {
  cluster = await Cluster.start();
});
test.after.always(() => cluster.close());

async function volumesIn(node: string): Promise<VolumeState[]> {
  const store = await cluster.store();
  return Array.fromAsync(volumesOf(store).iterate(store.keys.nodeVolumes(node)));
}

test('run_create_volume', async (t) => {
  const flags = { first_shelf_id: '1000', last_shelf_id: '1000' };
  const node = await cluster.node('create-volume', flags, { target: new FakeTarget() });
  const id = await node.createVolume(0, 'fake', 'fake-project');
  const volume = await node.getVolume(id);
  t.like(volume, {
    id,
    size: 0,
    userId: 'fake',
    projectId: 'fake-project',
    availabilityZone: 'nova',
    node: 'create-volume',
    status: 'available',
    attachStatus: 'detached',
    address: 'e1000.0',
  });
  t.deepEqual(
    (await volumesIn('create-volume')).map((one) => one.id),
    [id],
  );
  await node.deleteVolume(id);
  await t.throwsAsync(node.getVolume(id), { code: 'VolumeNotFound', message: `volume ${id} does not exist` });
  t.deepEqual(await volumesIn('create-volume'), []);
});

test('too_big_volume', async (t) => {
  const node = await cluster.node('too-big');
  for (const size of [1001, -1, 1.5, Number.NaN]) {
    await t.throwsAsync(node.createVolume(size, 'user', 'project'), { code: 'InvalidSize' }, `size ${size}`);
  }
  t.deepEqual(await volumesIn('too-big'), []);
});

test('too_many_volumes', async (t) => {
  const shelves = { first_shelf_id: '2000', last_shelf_id: '2001', slots_per_shelf: '16' };
  const flags = { ...shelves, address_quarantine: '0' };
  const node = await cluster.node('too-many', flags, { target: new FakeTarget() });
  const ids = await Promise.all(Array.from({ length: 32 }, () => node.createVolume(0, 'user', 'project')));
  const error = await t.throwsAsync(node.createVolume(0, 'user', 'project'), { code: 'NoMoreVolumes' });
  t.regex(error?.message ?? '', /node too-many/);
  const volumes = await volumesIn('too-many');
  t.is(volumes.length, 32, 'the refused one left nothing behind');
  t.is(new Set(volumes.map((volume) => volume.address)).size, 32);
  await Promise.all(ids.map((id) => node.deleteVolume(id)));
  t.deepEqual(await volumesIn('too-many'), []);
  const again = await node.getVolume(await node.createVolume(0, 'user', 'project'));
  t.is(again.address, 'e2000.0', 'the lowest free address is allocated');
});

test('run_attach_detach_volume', async (t) => {
  const node = await cluster.node('attach-detach');
  const commands = await cluster.commands();
  const store = await cluster.store();
  const id = await node.createVolume(0, 'user', 'project');
  const before = Date.now();
  const attached = await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/sdf' }, { deadlineMs: 5000 });
  t.like(attached, { status: 'in-use', attachStatus: 'attached' });
  t.like(attached.use, { status: 'attached', instanceId: 'i-1', mountpoint: '/dev/sdf' });
  t.true((attached.use.attachTime ?? 0) >= before);
  await t.throwsAsync(node.deleteVolume(id), {
    code: 'VolumeAttached',
    message: `volume ${id} is attached to i-1`,
  });
  await t.throwsAsync(commands.attach(id, { instanceId: 'i-2', mountpoint: '/dev/sdf' }), { code: 'VolumeAttached' });
  const detached = await commands.detach(id, { deadlineMs: 5000 });
  t.like(detached, {
    status: 'available',
    attachStatus: 'detached',
    attachments: [],
    attachment: '',
  });
  await t.throwsAsync(commands.detach(id), { code: 'VolumeNotAttached' });
  await node.deleteVolume(id);
  await t.throwsAsync(volumesOf(store).lookup(id), { code: 'VolumeNotFound' });
});

test('a detach of an earlier attachment leaves the present one', async (t) => {
  const node = await cluster.node('other-attachment');
  const commands = await cluster.commands();
  const deadline = { deadlineMs: 5000 };
  const id = await node.createVolume(0, 'user', 'project');
  const first = await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/sdf' }, deadline);
  await commands.detach(id, { ...deadline, attachment: first.use.id });
  await t.throwsAsync(commands.detach(id, { ...deadline, attachment: first.use.id }), { code: 'VolumeNotAttached' });
  const second = await commands.attach(id, { instanceId: 'i-2', mountpoint: '/dev/sdf' }, deadline);

  for (const attachment of [first.use.id, '']) {
    await t.throwsAsync(commands.detach(id, { ...deadline, attachment }), {
      code: 'VolumeNotAttached',
      message: `the attachment of volume ${id} has ended; the volume is attached to i-2 now`,
    });
  }
  t.like(await node.getVolume(id), { status: 'in-use', attachStatus: 'attached', attachments: [second.use.id] });
  t.like(await commands.detach(id, { ...deadline, attachment: second.use.id }), { attachStatus: 'detached' });
  await node.deleteVolume(id);
});

test('concurrent_volumes_get_different_blades', async (t) => {
  const node = await cluster.node('concurrent', {}, { target: new FakeTarget() });
  const ids = await Promise.all(Array.from({ length: 40 }, () => node.createVolume(0, 'user', 'project')));
  const volumes = await Promise.all(ids.map((id) => node.getVolume(id)));
  t.is(new Set(volumes.map((volume) => volume.address)).size, 40);
});

test('multi_node', async (t) => {
  const [one, two, three] = await Promise.all([
    cluster.node(
      'multi-1',
      { slots_per_shelf: '2', first_shelf_id: '3000', last_shelf_id: '3000' },
      { target: new FakeTarget() },
    ),
    cluster.node('multi-2', { slots_per_shelf: '4', storage_availability_zone: 'east' }, { target: new FakeTarget() }),
    cluster.node('multi-3', { slots_per_shelf: '255' }, { target: new FakeTarget() }),
  ]);
  const ids = await Promise.all([one, two, three].flatMap((node) => [1, 2].map(() => node.createVolume(1, 'u', 'p'))));
  const volumes = await Promise.all(ids.map((id) => three.getVolume(id)));
  t.deepEqual(
    volumes.map((volume) => volume.node),
    ['multi-1', 'multi-1', 'multi-2', 'multi-2', 'multi-3', 'multi-3'],
  );
  const addresses = volumes.slice(0, 2).map((volume) => volume.address);
  t.deepEqual(addresses.toSorted(), ['e3000.0', 'e3000.1']);
  t.is(volumes[2]?.availabilityZone, 'east');
  t.is(new Set(volumes.map((volume) => volume.address)).size, 6, 'no address twice in the cluster');
  const seen = await volumesIn('multi-3');
  t.deepEqual(seen.map((volume) => volume.id).toSorted(), ids.slice(4).toSorted());
  await t.throwsAsync(two.deleteVolume(ids[0] ?? ''), { code: 'NotLocal', message: /belongs to node multi-1/ });
  await t.throwsAsync(one.createVolume(1, 'u', 'p'), { code: 'NoMoreVolumes' });
  const commands = await cluster.commands();
  await Promise.all(ids.map((id) => commands.delete(id, { deadlineMs: 5000 })));
  for (const node of ['multi-1', 'multi-2', 'multi-3']) t.deepEqual(await volumesIn(node), []);
});
