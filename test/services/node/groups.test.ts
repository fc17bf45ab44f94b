import { randomUUID } from 'node:crypto';
import test from 'ava';
import { auditRecords } from '../../../lib/audit/records.ts';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { findGroup } from '../../../lib/models/find-group.ts';
import { maxGroupVolumes } from '../../../lib/models/group-state.ts';
import { groupsOf, volumesOfGroup } from '../../../lib/models/group.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';

const deadline = { deadlineMs: 60_000 };
const owner = { userId: 'user', projectId: 'project' };

let cluster: Cluster;
let store: Store;
let commands: ClusterCommands;

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  for (const name of ['n1', 'n2']) await cluster.node(name, {}, { driver: new FakeDriver() });
  commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
});
test.after.always(() => cluster.close());

async function newVolume(node = 'n1', projectId = 'project'): Promise<string> {
  return (await commands.commands.create({ size: 1, userId: 'user', projectId, node }, deadline)).id;
}

async function newGroup(volumes: readonly string[], name = ''): Promise<string> {
  const { id } = await commands.groups.create({ ...owner, name });
  await commands.groups.update(id, { add: volumes });
  return id;
}

async function idsIn(group: string): Promise<string[]> {
  return (await volumesOfGroup(store, group)).map(({ id }) => id);
}

test.serial('a group is created, found by its name, changed and deleted; a repeated create makes one', async (t) => {
  const request = { ...owner, id: randomUUID(), name: 'shop', description: 'of the shop' };
  for (const _ of ['once', 'twice']) t.like(await commands.groups.create(request), request);
  await t.throwsAsync(commands.groups.create({ ...request, name: 'other' }), { code: 'GroupExists' });
  t.is((await findGroup(store, 'shop')).id, request.id);
  t.like(await commands.groups.update(request.id, { name: 'store', description: '' }), {
    name: 'store',
    description: '',
  });
  await t.throwsAsync(findGroup(store, 'shop'), { code: 'GroupNotFound' });
  await commands.groups.delete(request.id);
  t.is(await groupsOf(store).find(request.id), undefined);
  for (const refused of [commands.groups.delete(request.id), commands.groups.update(request.id, { name: 'x' })]) {
    await t.throwsAsync(refused, { code: 'GroupNotFound' });
  }
});

test.serial('volumes join and leave a group, and its first volume decides on which backend they are', async (t) => {
  const volumes = [await newVolume(), await newVolume()];
  const [there, ofOther] = [await newVolume('n2'), await newVolume('n1', 'other')];
  const group = await newGroup(volumes);
  t.deepEqual(await idsIn(group), volumes);
  await commands.groups.update(group, { add: volumes });
  await t.throwsAsync(commands.groups.update(group, { add: [there] }), {
    code: 'GroupOnOtherBackend',
    message: /are on n1@fake, and volume .* is on n2@fake/,
  });
  await t.throwsAsync(commands.groups.update(group, { add: [ofOther] }), { code: 'GroupOfOtherProject' });
  await t.throwsAsync(commands.groups.update(group, { add: [randomUUID()] }), { code: 'VolumeNotFound' });
  await t.throwsAsync(newGroup(volumes.slice(0, 1)), { code: 'VolumeInGroup', message: new RegExp(group) });
  await commands.groups.update(group, { remove: volumes });
  t.deepEqual(await idsIn(group), []);
  await t.throwsAsync(commands.groups.update(group, { remove: volumes }), { code: 'VolumeNotInGroup' });
  await commands.groups.update(group, { add: [there] });
  await t.throwsAsync(commands.groups.update(group, { add: volumes }), { code: 'GroupOnOtherBackend' });
  t.deepEqual(await auditRecords(store, { repair: false }).next(), { done: true, value: undefined });
});

test.serial('a volume of a group is not deleted, migrated or offered alone: the hint names the command', async (t) => {
  const volume = await newVolume();
  const group = await newGroup([volume]);
  const remove = new RegExp(`blockstore group update ${group} --remove ${volume}`);
  for (const refused of [
    () => commands.commands.delete(volume, deadline),
    () => commands.commands.delete(volume, { ...deadline, withSnapshots: true }),
    () => commands.migrations.migrate(volume, {}, deadline),
    () => commands.transfers.create(volume, { withSnapshots: true, lengthMs: 60_000 }),
  ]) {
    const error = await t.throwsAsync(refused, { code: 'VolumeInGroup' });
    t.regex(error && 'hint' in error ? String(error.hint) : '', remove);
  }
  t.like(await volumesOf(store).lookup(volume), { status: 'available', group, task: undefined });
  await commands.groups.update(group, { remove: [volume] });
  await commands.commands.delete(volume, deadline);
  await commands.groups.delete(group);
});

test.serial('a group is deleted with its volumes, all or none where one is needed', async (t) => {
  const volumes = [await newVolume(), await newVolume(), await newVolume()];
  const [, second = ''] = volumes;
  const group = await newGroup(volumes);
  await t.throwsAsync(commands.groups.delete(group, deadline), {
    code: 'GroupHasVolumes',
    message: new RegExp(second),
  });
  const { id: snapshot } = await commands.snapshots.create(second, owner, deadline);
  const whole = { ...deadline, volumes: true };
  await t.throwsAsync(commands.groups.delete(group, whole), { code: 'VolumeHasSnapshots' });
  await commands.snapshots.delete(snapshot, deadline);
  await commands.commands.attach(second, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await t.throwsAsync(commands.groups.delete(group, whole), { code: 'VolumeAttached' });
  t.deepEqual(await idsIn(group), volumes);
  await commands.commands.detach(second, deadline);
  await commands.groups.delete(group, whole);
  t.is(await groupsOf(store).find(group), undefined);
  for (const volume of volumes) t.is(await volumesOf(store).find(volume), undefined);
});

test.serial(`a group has at most ${maxGroupVolumes} volumes, however many join at once`, async (t) => {
  const volumes = await Promise.all(Array.from({ length: maxGroupVolumes + 4 }, () => newVolume()));
  const group = await newGroup(volumes.slice(0, 1));
  const joined = volumes.slice(1).map((volume) => commands.groups.update(group, { add: [volume] }));
  const ended = await Promise.allSettled(joined);
  const refused = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  t.is(refused.length, 4);
  for (const error of refused) t.like(error, { code: 'TooManyInGroup' });
  t.is((await idsIn(group)).length, maxGroupVolumes);
  await commands.groups.delete(group, { ...deadline, volumes: true });
});
