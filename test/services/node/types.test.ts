import test from 'ava';
import { auditRecords } from '../../../lib/audit/records.ts';
import { removeDefaultType, setDefaultType } from '../../../lib/client/default-types.ts';
import { associate, createQosSpec, deleteQosSpec } from '../../../lib/client/qos-specs.ts';
import { admitProject } from '../../../lib/client/type-access.ts';
import { createType, deleteType, updateType } from '../../../lib/client/types.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { findType } from '../../../lib/models/find-type.ts';
import { typesOf } from '../../../lib/models/type.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';

const deadline = { deadlineMs: 60_000 };
const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const gibibyte = 2 ** 30;

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
/** Of n1 and n2 `fast` in turn. */
const drivers = [new FaultyDriver(new FakeDriver()), new FaultyDriver(new FakeDriver())];

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  for (const [index, driver] of drivers.entries()) {
    const name = `n${index + 1}`;
    await cluster.node(name, { storage_availability_zone: `z${index + 1}` }, [
      { name: 'fast', driver },
      // Nearly every volume would be placed here by free space alone.
      { name: 'slow', driver: new FakeDriver({ totalBytes: 2 ** 52 }) },
    ]);
  }
  commands = await cluster.commands();
});
test.after.always(() => cluster.close());

async function placesOf(request: Partial<Parameters<VolumeCommands['create']>[0]>, count = 8): Promise<string[]> {
  const created = await Promise.all(
    Array.from({ length: count }, () => commands.create({ ...newVolume, ...request }, deadline)),
  );
  return [...new Set(created.map(({ node, backend }) => `${node}@${backend}`))].toSorted();
}

test.serial('volumes of a type are where its requirements are met, as are copies of them', async (t) => {
  const fast = await createType(store, { name: 'fast', requirements: { backend: 'fast', snapshots: 'yes' } });
  t.deepEqual(await placesOf({ type: fast.id }), ['n1@fast', 'n2@fast']);
  t.deepEqual(await placesOf({ type: fast.id, zone: 'z2' }), ['n2@fast']);
  const [id = ''] = await store.redis.zrange(store.keys.typeVolumes(fast.id), '0', '0');
  t.like(await commands.create({ ...newVolume, fromVolume: id }, deadline), { type: fast.id, backend: 'fast' });
  const thin = await createType(store, { name: 'thin', requirements: { backend: 'fast', thin: 'yes' } });
  const error = await t.throwsAsync(commands.create({ ...newVolume, type: thin.id }, deadline), {
    code: 'NoUsableBackend',
  });
  t.regex(error?.message ?? '', /n1@fast: its thin is no, not yes/);
  t.regex(error?.message ?? '', /n2@slow: its backend is slow, not fast/);
  await t.throwsAsync(commands.create({ ...newVolume, fromVolume: id, type: thin.id }, deadline), {
    code: 'NoUsableBackend',
  });
});

test.serial('a volume is on another node than those that it is to be apart from', async (t) => {
  const { id, node } = await commands.create(newVolume, deadline);
  const others = await placesOf({ apartFrom: [id] }, 20);
  t.true(
    others.every((place) => !place.startsWith(`${node}@`)),
    others.join(' '),
  );
  const second = await commands.create({ ...newVolume, apartFrom: [id] }, deadline);
  await t.throwsAsync(commands.create({ ...newVolume, apartFrom: [id, second.id] }, deadline), {
    code: 'NoUsableBackend',
    message: new RegExp(`its node has volume (${id}|${second.id})`),
  });
});

test.serial('a volume that its backend could not take is placed again as it was asked for', async (t) => {
  const [type] = (await typesOf(store).page(store.keys.types(), { limit: 1 })).states;
  for (const driver of drivers) driver.failOnce('createVolume', errors.noSpace('fast', gibibyte, 0));
  const { node, backend } = await commands.create({ ...newVolume, type: type?.id ?? '' }, deadline).catch((error) => {
    // Both have refused it.
    t.is(error.code, 'NoSpace');
    return { node: '', backend: 'fast' };
  });
  t.is(backend, 'fast', node);
});

test.serial('names of types are theirs alone, and what volumes rely on stays', async (t) => {
  const type = await findType(store, 'fast');
  await t.throwsAsync(createType(store, { name: 'fast' }), { code: 'TypeExists' });
  const racing = await Promise.allSettled(Array.from({ length: 5 }, () => createType(store, { name: 'raced' })));
  t.is(racing.filter(({ status }) => status === 'fulfilled').length, 1);
  const raced = await findType(store, 'raced');
  await t.throwsAsync(updateType(store, raced.id, { name: 'fast' }), { code: 'TypeExists' });
  await t.throwsAsync(updateType(store, raced.id, { requirements: { colour: 'red' } }), { code: 'InvalidArgument' });
  await t.throwsAsync(updateType(store, raced.id, { requirements: { thin: 'maybe' } }), { code: 'InvalidArgument' });
  await updateType(store, raced.id, { name: 'east', requirements: { zone: 'z1' }, description: 'of the east' });
  t.like(await updateType(store, raced.id, { requirements: { zone: '', shared: 'no' }, description: '' }), {
    name: 'east',
    requirements: { shared: 'no' },
    description: '',
  });
  await t.throwsAsync(updateType(store, type.id, { requirements: { zone: 'z1' } }), { code: 'TypeInUse' });
  t.is((await updateType(store, type.id, { description: 'NVMe' })).description, 'NVMe');
  await t.throwsAsync(deleteType(store, type.id), { code: 'TypeInUse' });
  await deleteType(store, raced.id);
  await t.throwsAsync(deleteType(store, raced.id), { code: 'TypeNotFound' });
  await t.throwsAsync(commands.create({ ...newVolume, type: raced.id }, deadline), { code: 'TypeNotFound' });
  t.deepEqual(await Array.fromAsync(auditRecords(store, { repair: false })), []);
  t.deepEqual(await disagreements(store, []), []);
  for await (const { id } of volumesOf(store).iterate(store.keys.typeVolumes(type.id))) {
    await commands.delete(id, deadline);
  }
  await deleteType(store, type.id);
});

test.serial('an audit finds types, QoS specs and default types in their indexes, and repairs these', async (t) => {
  const { redis, keys } = store;
  const { id } = await createType(store, { name: 'secret', isPublic: false });
  await admitProject(store, id, 'a:b');
  const { id: spec } = await createQosSpec(store, { name: 'slow', consumer: 'front-end', specs: { any: 'x' } });
  await associate(store, spec, id);
  await setDefaultType(store, 'a:b', id);
  const audit = async () => (await Array.fromAsync(auditRecords(store, { repair: true }))).map(({ what }) => what);
  t.deepEqual(await audit(), []);
  await redis.del(keys.qosSpecs(), keys.qosSpecTypes(spec), keys.defaultTypes(), keys.typeDefaultOf(id));
  await redis.zadd(keys.qosSpecs(), 1, 'stray');
  t.is((await audit()).length, 5);
  t.deepEqual(await audit(), []);
  t.deepEqual(await redis.zrange(keys.qosSpecTypes(spec), '0', '-1'), [id]);
  t.deepEqual(await redis.zrange(keys.typeDefaultOf(id), '0', '-1'), ['a:b']);
  await t.throwsAsync(deleteType(store, id), { code: 'TypeIsDefault' });
  await removeDefaultType(store, 'a:b');
  await deleteType(store, id);
  await deleteQosSpec(store, spec, { force: false });
  t.deepEqual(await disagreements(store, []), []);
});
