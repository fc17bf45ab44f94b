import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { ExportSpec } from '../../../lib/targets/target.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { until } from '../../support/until.ts';

const GiB = 2 ** 30;
const deadline = { deadlineMs: 60_000 };
const request = { size: 1, userId: 'user', projectId: 'project' };

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
let driver: FaultyDriver;

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FaultyDriver(new FakeDriver({ totalBytes: 100 * GiB }));
  await cluster.node('n1', {}, { driver });
  commands = await cluster.commands();
});
test.after.always(() => cluster.close());

async function allocated(): Promise<number> {
  const { backends } = await lookupNode(store, 'n1');
  return backends[0]?.allocatedBytes ?? -1;
}

async function storedBytes(id: string): Promise<number | undefined> {
  return (await driver.listVolumes()).find((volume) => volume.id === id)?.sizeBytes;
}

test.serial('a volume grows, attached or not, and its status is as before', async (t) => {
  const { id } = await commands.create(request, deadline);
  t.like(await commands.extend(id, 3, deadline), { size: 3, newSize: undefined, status: 'available' });
  t.is(await storedBytes(id), 3 * GiB);
  t.is(await allocated(), 3 * GiB);
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  t.like(await commands.extend(id, 5, deadline), { size: 5, status: 'in-use', attachStatus: 'attached' });
  t.like(await commands.extend(id, 5, deadline), { size: 5, status: 'in-use' });
  await t.throwsAsync(commands.extend(id, 4, deadline), {
    code: 'SizeNotLarger',
    message: `volume ${id} has 5 GiB; it cannot be extended to 4 GiB`,
  });
  await commands.detach(id, deadline);
  await commands.delete(id, deadline);
  t.is(await allocated(), 0);
});

test.serial('what cannot be extended is refused before anything starts, with the room that there is', async (t) => {
  const { id } = await commands.create(request, deadline);
  const free = (await lookupNode(store, 'n1')).backends[0]?.capacityBytes ?? 0;
  await t.throwsAsync(commands.extend(id, 1000, deadline), {
    code: 'NoSpace',
    message: new RegExp(`^n1@fake has no space for 999 GiB: ${Math.floor(free / GiB) - 1}`),
  });
  t.like(await volumesOf(store).lookup(id), { size: 1, newSize: undefined, status: 'available', fault: undefined });
  t.is(await allocated(), GiB);
  await commands.delete(id, deadline);
});

test.serial('a failed extension gives its space back, and can be repeated', async (t) => {
  const { id } = await commands.create(request, deadline);
  driver.failOnce('extendVolume', errors.storageMissing(id, 'its storage'));
  await t.throwsAsync(commands.extend(id, 2, deadline), { code: 'StorageMissing' });
  t.like(await volumesOf(store).lookup(id), { size: 1, newSize: undefined, status: 'error_extending' });
  t.is(await allocated(), GiB);
  t.like(await commands.extend(id, 2, deadline), { size: 2, status: 'available', fault: undefined });
  t.is(await allocated(), 2 * GiB);
  await commands.delete(id, deadline);
});

test.serial(
  'storage that a failed extension has grown is in the record with its size, and can be attached',
  async (t) => {
    const { id } = await commands.create(request, deadline);
    driver.failOnce('labelVolume', errors.storageMissing(id, 'its storage'));
    await t.throwsAsync(commands.extend(id, 2, deadline), { code: 'StorageMissing' });
    t.like(await volumesOf(store).lookup(id), { size: 2, newSize: undefined, status: 'error_extending' });
    t.is(await allocated(), 2 * GiB);
    const attached = await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: [] }, deadline);
    t.like(attached, { size: 2, status: 'in-use', fault: undefined });
    await commands.detach(id, deadline);
    await commands.delete(id, deadline);
  },
);

test.serial('while it grows, space counts, the same request joins, and another one waits its turn', async (t) => {
  const { id } = await commands.create(request, deadline);
  const goOn = driver.holdOnce('extendVolume');
  const first = commands.extend(id, 4, deadline);
  await until(() => driver.isHeld('extendVolume'), 'it grows');
  t.like(await volumesOf(store).lookup(id), { size: 1, newSize: 4, status: 'extending' });
  t.is(await allocated(), 4 * GiB);
  const second = commands.extend(id, 4, deadline);
  await t.throwsAsync(commands.extend(id, 5, deadline), { code: 'WrongStatus' });
  await t.throwsAsync(commands.delete(id, deadline), { code: 'WrongStatus' });
  goOn();
  for (const volume of await Promise.all([first, second])) t.like(volume, { size: 4, status: 'available' });
  await commands.delete(id, deadline);
});

test.serial(
  'an audit records the size of storage that was extended by hand, or whose extension Redis has lost',
  async (t) => {
    const { id, labels } = { ...(await commands.create(request, deadline)), labels: {} };
    const nodes = await cluster.nodeCommands();
    await driver.extendVolume?.({ id, size: 3, sizeBytes: 3 * GiB, labels });
    const what = `has ${3 * GiB} bytes on storage, ${GiB} in its record`;
    const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
    t.like(findings[0], { what, fix: 'record the size of its storage', fixed: true });
    t.is((await volumesOf(store).lookup(id)).size, 3);
    t.is(await allocated(), 3 * GiB);
    t.deepEqual((await nodes.audit('n1', { repair: false, remove: [] }, deadline)).findings, []);
    await commands.delete(id, deadline);
  },
);

class ResizedTarget extends FakeTarget {
  readonly resized: string[] = [];

  override resizeExport(spec: ExportSpec): Promise<void> {
    this.resized.push(spec.id);
    return super.resizeExport(spec);
  }
}

test('an extension that Redis lost while its node was stopped is recorded at its start', async (t) => {
  const place = await Cluster.start();
  t.teardown(() => place.close());
  const [storage, target] = [new FakeDriver(), new ResizedTarget()];
  const node = await place.node('n1', {}, { driver: storage, target });
  const requests = await place.commands();
  const volumes = [await requests.create(request, deadline), await requests.create(request, deadline)];
  const attached = volumes[0]?.id ?? '';
  await requests.attach(attached, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await node.stop();
  const key = randomUUID();
  for (const { id, labels } of await storage.listVolumes()) {
    const spec = { id, size: 3, sizeBytes: 3 * GiB, labels: id === attached ? labels : { ...labels, key } };
    await storage.extendVolume(spec);
    await storage.labelVolume(spec);
  }
  await place.node('n1', {}, { driver: storage, target });
  const records = volumesOf(await place.store());
  for (const { id } of volumes) t.is((await records.lookup(id)).size, 3);
  t.deepEqual(target.resized, [attached], 'its host is to see the size of its device');
  const nodes = await place.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.deepEqual(
    findings.map(({ what }) => what),
    ['lacks the key of its storage'],
    'which is still labelled with it',
  );
});

test.serial('an extension without its task, or a task without its size, is put right', async (t) => {
  const { id } = await commands.create(request, deadline);
  const nodes = await cluster.nodeCommands();
  const key = store.keys.volume(id);
  for (const damage of [
    { status: 'extending', newSize: '2' },
    { newSize: '2' },
    { status: 'extending', task: '{"kind":"extend","key":"k"}' },
  ]) {
    await store.redis.hset(key, damage);
    for (let round = 0; round < 3; round += 1) await nodes.audit('n1', { repair: true, remove: [] }, deadline);
    await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
    t.like(await volumesOf(store).lookup(id), { newSize: undefined, task: undefined }, JSON.stringify(damage));
  }
  t.is((await volumesOf(store).lookup(id)).size, 2);
  t.deepEqual((await nodes.audit('n1', { repair: true, remove: [] }, deadline)).findings.slice(1), []);
  await commands.delete(id, deadline);
});
