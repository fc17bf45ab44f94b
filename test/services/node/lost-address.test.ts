import test from 'ava';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { instancesOf, loseAttachments } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Redis has lost the address of a volume that a host has: the export, or the label on the storage, still shows it. */

const deadline = { deadlineMs: 60_000 };
const newVolume = { size: 1, userId: 'user', projectId: 'project' };

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
let target: FakeTarget;

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  target = new FakeTarget();
  await cluster.node('n1', { report_interval: '1' }, { driver: new FakeDriver(), target });
  commands = await cluster.commands();
});
test.after.always(() => cluster.close());

async function attached(): Promise<{ id: string; address: string }> {
  const { id } = await commands.create(newVolume, deadline);
  const { address } = await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  return { id, address };
}

async function lose(id: string, ...fields: string[]): Promise<void> {
  await store.redis.hdel(store.keys.volume(id), ...fields);
}

async function audit(): Promise<string[]> {
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  return findings.map(({ what, fixed }) => `${what}: ${fixed ? 'fixed' : 'not fixed'}`);
}

async function isExportedAgain(id: string, address: string): Promise<void> {
  target.exports.delete(id);
  await until(() => target.exports.get(id)?.address === address, 'an export that ends is back at the same address');
}

test.serial('with the attachment: the record has both again', async (t) => {
  const { id, address } = await attached();
  await lose(id, 'address');
  await loseAttachments(store, id);
  await store.redis.hset(store.keys.volume(id), { status: 'available', attachStatus: 'detached' });
  t.deepEqual(await audit(), ['is exported although it is not attached: fixed']);
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached', address });
  await isExportedAgain(id, address);
});

test.serial(
  'with the attachment, and the record has an earlier address: hosts keep the one that they use',
  async (t) => {
    const { id, address } = await attached();
    await loseAttachments(store, id);
    const earlier = { status: 'available', attachStatus: 'detached', address: 'e900.3' };
    await store.redis.hset(store.keys.volume(id), earlier);
    await audit();
    t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached', address });
  },
);

test.serial('alone: the record has that of the export', async (t) => {
  const { id, address } = await attached();
  await lose(id, 'address');
  t.deepEqual(await audit(), ['is attached and has no address in its record: fixed']);
  t.like(await volumesOf(store).lookup(id), { attachStatus: 'attached', address });
  t.deepEqual(await instancesOf(store, id), ['i-1']);
  await isExportedAgain(id, address);
});

test.serial('alone, and the export has ended: it is back at the address of the label', async (t) => {
  const { id, address } = await attached();
  await lose(id, 'address');
  await isExportedAgain(id, address);
  await until(async () => (await volumesOf(store).lookup(id)).address === address, 'the record has the address');
  t.deepEqual(await audit(), []);
});

test.serial('of a volume that is not attached: it is compared beside exports that are none of ours', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  await lose(id, 'address');
  const path = new FakeDriver().localPath({ id, size: 1, sizeBytes: 2 ** 30, labels: {} });
  target.exports.set('stranger', { address: 'e1.200', path, readOnly: false, hosts: [] });
  const findings = await audit();
  t.true(findings.some((text) => text.startsWith('is exported as e1.200 by a process that is not of blockstore')));
  target.exports.delete('stranger');
});
