import test from 'ava';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';

const deadline = { deadlineMs: 60_000 };
const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
let driver: FaultyDriver;

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FaultyDriver(new FakeDriver());
  await cluster.node('n1', {}, { driver, target: new FakeTarget() });
  commands = await cluster.commands();
});
test.after.always(() => cluster.close());

async function labelledName(id: string): Promise<string | undefined> {
  return (await driver.listVolumes()).find((volume) => volume.id === id)?.labels['name'];
}

test.serial('an attached volume is renamed, also on its storage, and goes on as it is', async (t) => {
  const { id } = await commands.create({ ...newVolume, name: 'data' }, deadline);
  await commands.attach(id, attachment, deadline);
  t.like(await commands.update(id, { name: 'logs' }, deadline), {
    name: 'logs',
    status: 'in-use',
    attachStatus: 'attached',
    task: undefined,
  });
  t.is(await labelledName(id), 'logs');
  t.deepEqual(await store.redis.zrange(store.keys.volumeNames(), '0', '-1'), [`logs\0${id}`]);
  t.is((await commands.update(id, { name: '' }, deadline)).name, '');
  t.is(await labelledName(id), undefined);
});

test.serial('a name that cannot be written to the storage is kept, and an audit writes it', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  for (let tries = 0; tries < 3; tries += 1) driver.failOnce('labelVolume', new Error('read-only'));
  await t.throwsAsync(commands.update(id, { name: 'logs' }, deadline), { message: /read-only/ });
  t.like(await volumesOf(store).lookup(id), { name: 'logs', status: 'available', fault: undefined, task: undefined });
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.like(findings, [{ what: 'has other labels on its storage than its record', fixed: true }]);
  t.is(await labelledName(id), 'logs');
});

test.serial('description, metadata and flags change in any status, those of two requests at once', async (t) => {
  const noted = { description: 'of the shop', metadata: { tier: 'slow', owner: 'ann' }, isBootable: true };
  const { id } = await commands.create({ ...newVolume, ...noted }, deadline);
  t.like(await volumesOf(store).lookup(id), { ...noted, isReadOnly: false });
  await Promise.all([
    commands.update(id, { metadata: { tier: 'fast' }, unsetMetadata: ['owner'] }),
    commands.update(id, { metadata: { shelf: '' }, description: '', isBootable: false }),
    commands.update(id, { deleteOnTermination: true }),
  ]);
  const volume = await volumesOf(store).lookup(id);
  t.deepEqual(volume.metadata, { tier: 'fast', shelf: '' });
  t.like(volume, { description: '', isBootable: false, deleteOnTermination: true });
  const many = Object.fromEntries(Array.from({ length: 127 }, (_, number) => [`key${number}`, 'value']));
  await t.throwsAsync(commands.update(id, { metadata: many }), { code: 'InvalidArgument', message: /128 keys/ });
  await t.throwsAsync(commands.update(id, { metadata: { 'a\nb': '' } }), { code: 'InvalidArgument' });
  await t.throwsAsync(commands.update(id, { metadata: { a: 'x'.repeat(256) } }), { code: 'InvalidArgument' });
});

test.serial('a read-only volume is attached read-only, and becomes so only while it is detached', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  await t.throwsAsync(commands.update(id, { isReadOnly: true }), { code: 'VolumeAttached' });
  await commands.detach(id, deadline);
  t.true((await commands.update(id, { isReadOnly: true })).isReadOnly);
  await t.throwsAsync(commands.attach(id, attachment, deadline), { code: 'VolumeReadOnly' });
  t.is((await commands.attach(id, { ...attachment, mode: 'ro' }, deadline)).attachMode, 'ro');
  await commands.update(id, { isReadOnly: false });
  t.is((await volumesOf(store).lookup(id)).attachMode, 'ro');
});
