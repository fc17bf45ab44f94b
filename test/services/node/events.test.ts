import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { drain, setClosed } from '../../../lib/client/drain.ts';
import { lastEvents } from '../../../lib/client/event-reader.ts';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { setQuota } from '../../../lib/client/quotas.ts';
import { removeNode } from '../../../lib/client/remove-node.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { TransferCommands } from '../../../lib/client/transfer-commands.ts';
import { createType, deleteType, updateType } from '../../../lib/client/types.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { type LogFields, silentLog } from '../../../lib/log.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { fakeNode } from '../../support/records.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };
const owner = { userId: 'user', projectId: 'project' };

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
let snapshots: SnapshotCommands;
let driver: FakeDriver;
const logged: LogFields[] = [];

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store(cluster.flags(), 'ann@host');
  driver = new FakeDriver();
  const noted = (message: string, fields: LogFields = {}) => void logged.push({ message, ...fields });
  const log = { ...silentLog, info: noted, error: noted };
  await cluster.node('n1', { num_shell_tries: '1' }, { driver }, { log });
  const client = new RequestClient(store);
  commands = new VolumeCommands(store, client, 'volume');
  snapshots = new SnapshotCommands(store, client, 'volume');
});
test.after.always(() => cluster.close());

async function eventsOf(id: string) {
  return (await lastEvents(store, 1000)).events.filter(({ volume }) => volume === id);
}

test.serial('each task has one event at its beginning and one at its end, whoever waits for it', async (t) => {
  const { id } = await commands.create({ ...owner, size: 1 }, deadline);
  const ends = await Promise.allSettled([1, 2, 3].map(() => commands.delete(id, deadline)));
  t.true(ends.some(({ status }) => status === 'fulfilled'));
  t.deepEqual(
    (await eventsOf(id)).map(({ event, by }) => `${event} ${by}`),
    ['volume.create.start ann@host', 'volume.create.end ', 'volume.delete.start ann@host', 'volume.delete.end '],
  );
});

test.serial(
  'the log of the node has each operation with its requester, and the record only until it has ended',
  async (t) => {
    const { id } = await commands.create({ ...owner, size: 1 }, deadline);
    await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
    await t.throwsAsync(snapshots.create(id, owner, deadline), { code: 'VolumeAttached' });
    t.is((await volumesOf(store).lookup(id)).requestedBy, '');
    t.deepEqual(
      logged.filter(({ message }) => String(message).includes(id)),
      ['create', 'attach'].map((name) => ({ message: `${name} of volume ${id} completed`, requestedBy: 'ann@host' })),
    );
    t.is((await cluster.store(cluster.flags(), `${'ü'.repeat(40)}@host`)).by, 'ü'.repeat(32));
  },
);

test.serial('a change without a task is one as well, with its requester', async (t) => {
  const { events: before } = await lastEvents(store, 1000);
  const type = await createType(store, { name: 'fast' });
  await updateType(store, type.id, { description: 'of flash' });
  const { id } = await commands.create({ ...owner, size: 1 }, deadline);
  await commands.update(id, { description: 'data' }, deadline);
  const migrations = new MigrationCommands(store, commands, 'volume');
  await migrations.retype(id, type.id, { mayMigrate: false });
  const transfers = new TransferCommands(store, commands, 'volume');
  const { transfer } = await transfers.create(id, { withSnapshots: false, lengthMs: 60_000 });
  await transfers.delete(transfer.id);
  await commands.delete(id, deadline);
  await deleteType(store, type.id);
  await setQuota(store, 'web', { volumes: 3 });
  await setClosed(store, 'n1', true, { reason: 'a disk is replaced' });
  const ignored = { onMoved: () => undefined, onFailed: () => undefined, onUnreadable: () => undefined };
  await drain(store, () => Promise.reject(new Error('it stays')), 'n1', ignored);
  t.is((await lookupNode(store, 'n1')).backends[0]?.closedReason, 'a disk is replaced');
  await setClosed(store, 'n1', false);
  await setClosed(store, 'n1', false);
  await fakeNode(store, 'n9', { leaseMs: 1 });
  await until(async () => (await store.redis.exists(store.keys.lease('n9'))) === 0, 'n9 is down');
  await declareLost(store, 'n9', { topic: 'volume' });
  await removeNode(store, 'n9', { topic: 'volume' });
  const later = (await lastEvents(store, 1000)).events.slice(before.length);
  t.deepEqual(
    later.filter(({ key }) => key === '').map(({ event, volume, object, by }) => [event, volume || object, by]),
    [
      ['type.create', type.id],
      ['type.update', type.id],
      ['volume.update', id],
      ['volume.retype', id],
      ['volume.transfer.create', id],
      ['volume.transfer.end', id],
      ['type.delete', type.id],
      ['quota.set', 'web'],
      ['node.close', 'n1'],
      ['node.open', 'n1'],
      ['node.lost', 'n9'],
      ['node.remove', 'n9'],
    ].map(([event, object]) => [event, object, 'ann@host']),
  );
  t.is(later.find(({ event }) => event === 'type.delete')?.name, 'fast', 'what is gone has its name');
});

test.serial('a failure is one with its reason, also where the volume has none', async (t) => {
  const { id } = await commands.create({ ...owner, size: 1 }, deadline);
  const create = driver.snapshots.createSnapshot.bind(driver.snapshots);
  driver.snapshots.createSnapshot = async () => {
    throw errors.noSpace('the pool', 2, 1);
  };
  const snapshot = '0a1b2c3d-0000-4000-8000-000000000001';
  await t.throwsAsync(snapshots.create(id, { ...owner, id: snapshot }, deadline), { code: 'NoSpace' });
  driver.snapshots.createSnapshot = create;
  const event = (await eventsOf(id)).at(-1);
  t.like(event, { event: 'volume.snapshot.error', snapshot, fault: { code: 'NoSpace' } });

  const { id: busy } = await commands.create({ ...owner, size: 1 }, deadline);
  driver.deleteVolume = async () => {
    throw errors.volumeBusy(busy, 'a test');
  };
  await t.throwsAsync(commands.delete(busy, deadline), { code: 'VolumeBusy' });
  t.like((await eventsOf(busy)).at(-1), { event: 'volume.delete.error', fault: { code: 'VolumeBusy' } });
});

test.serial('where the stream is no stream, or has what is no event, nothing else is lost', async (t) => {
  await store.redis.set(store.keys.events(), 'overwritten');
  const { id } = await commands.create({ ...owner, size: 1 }, deadline);
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  await store.redis.del(store.keys.events());
  await store.redis.xadd(store.keys.events(), '*', 'm', '{"event":1}');
  await commands.detach(id, deadline);
  t.deepEqual(
    (await lastEvents(store, 10)).events.map(({ event }) => event),
    ['volume.detach.start', 'volume.detach.end'],
  );
});

test.serial('the stream keeps the last ten thousand', async (t) => {
  const pipeline = store.redis.pipeline();
  for (let count = 0; count < 12_000; count += 1) pipeline.xadd(store.keys.events(), '*', 'm', '{}');
  await pipeline.exec();
  await commands.create({ ...owner, size: 1 }, deadline);
  const length = await store.redis.xlen(store.keys.events());
  t.true(length >= 10_000 && length < 10_500, String(length));
});
