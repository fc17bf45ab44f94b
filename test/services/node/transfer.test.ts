import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { maxSnapshots } from '../../../lib/client/transfer-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { asError, errors } from '../../../lib/errors.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { transfersOf } from '../../../lib/models/transfer.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import { disagreements } from '../../support/agreement.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import {
  type TransferPlace,
  attachment,
  deadline,
  newVolume,
  offer,
  owner,
  receiver,
  transferPlace,
} from '../../support/transfers.ts';
import { until } from '../../support/until.ts';

let cluster: TransferPlace['cluster'];
let store: TransferPlace['store'];
let volumes: TransferPlace['volumes'];
let snapshots: TransferPlace['snapshots'];
let transfers: TransferPlace['transfers'];
let read: TransferPlace['read'];
let inProject: TransferPlace['inProject'];

test.beforeEach(async () => {
  ({ cluster, store, volumes, snapshots, transfers, read, inProject } = await transferPlace());
});
test.afterEach.always(() => cluster.close());

const audit = async (repair: boolean) =>
  (await (await cluster.nodeCommands()).audit('n1', { repair, remove: [] }, deadline)).findings;

test.serial('a volume with its snapshots goes to another project, in Redis and on storage', async (t) => {
  const driver = new FakeDriver();
  await cluster.node('n1', {}, { driver });
  const { id } = await volumes.create({ ...newVolume, name: 'data' }, deadline);
  const snapshot = await snapshots.create(id, { ...owner, name: 'before' }, deadline);
  const { transfer, key } = await transfers.create(id, { ...offer, name: 'gift' });
  t.like(transfer, { name: 'gift', volume: id, projectId: 'web', withSnapshots: true });
  t.regex(key, /^([0-9a-z]{4}-){7}[0-9a-z]{4}$/);
  t.like(await read(id), { status: 'awaiting-transfer', transfer: transfer.id, projectId: 'web' });
  t.deepEqual(await disagreements(store, []), []);

  const moved = await transfers.accept(transfer.id, key, receiver, deadline);
  t.like(moved, {
    id,
    name: 'data',
    ...receiver,
    status: 'available',
    transfer: '',
    task: undefined,
    fault: undefined,
  });
  t.like(await snapshotsOf(store).lookup(snapshot.id), { ...receiver, name: 'before', status: 'available' });
  t.deepEqual([await inProject('web'), await inProject('lab')], [[], [id]]);
  t.is(await transfersOf(store).find(transfer.id), undefined);
  const [[storedVolume], [storedSnapshot]] = [await driver.listVolumes(), await driver.snapshots.listSnapshots()];
  const { createTime } = moved;
  const created = String(createTime);
  t.deepEqual(storedVolume?.labels, { user: 'bob', project: 'lab', size: '1', name: 'data', created });
  t.like(storedSnapshot?.labels, { user: 'bob', project: 'lab', name: 'before' });
  t.deepEqual(await disagreements(store, []), []);
  t.deepEqual(await audit(false), []);
});

test.serial(
  'a snapshot whose record cannot be read keeps the volume and the others from moving without it',
  async (t) => {
    await cluster.node('n1');
    const { id } = await volumes.create(newVolume, deadline);
    const [odd, good] = [await snapshots.create(id, owner, deadline), await snapshots.create(id, owner, deadline)];
    const { transfer, key } = await transfers.create(id, offer);
    await store.redis.hset(store.keys.snapshot(odd.id), { status: 'hibernating' });
    const accept = () => transfers.accept(transfer.id, key, receiver, deadline);
    await t.throwsAsync(accept(), { code: 'RecordUnreadable', message: new RegExp(odd.id) });
    t.like(await read(id), owner);
    t.like(await snapshotsOf(store).lookup(good.id), owner);
    await store.redis.hset(store.keys.snapshot(odd.id), { status: 'available' });
    await accept();
    for (const one of [odd, good]) t.like(await snapshotsOf(store).lookup(one.id), receiver);
  },
);

test.serial('snapshots stay where they are on request, and those of a third project in any case', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  const own = await snapshots.create(id, owner, deadline);
  const others = await snapshots.create(id, { userId: 'eve', projectId: 'third' }, deadline);
  const first = await transfers.create(id, { ...offer, withSnapshots: false });
  await transfers.accept(first.transfer.id, first.key, receiver, deadline);
  t.like(await snapshotsOf(store).lookup(own.id), owner);
  const back = await transfers.create(id, offer);
  await transfers.accept(back.transfer.id, back.key, owner, deadline);
  const second = await transfers.create(id, offer);
  await transfers.accept(second.transfer.id, second.key, receiver, deadline);
  t.like(await snapshotsOf(store).lookup(own.id), receiver);
  t.like(await snapshotsOf(store).lookup(others.id), { userId: 'eve', projectId: 'third' });
  t.deepEqual(await audit(false), []);
});

test.serial(
  'a volume that awaits its transfer is refused everything else, with the command that ends it',
  async (t) => {
    await cluster.node('n1');
    const { id } = await volumes.create(newVolume, deadline);
    const snapshot = await snapshots.create(id, owner, deadline);
    const { transfer } = await transfers.create(id, offer);
    const refused = [
      () => volumes.attach(id, attachment, deadline),
      () => volumes.extend(id, 2, deadline),
      () => volumes.extend(id, 1, deadline),
      () => volumes.delete(id, deadline),
      () => snapshots.create(id, owner, deadline),
      () => snapshots.delete(snapshot.id, deadline),
      () => transfers.create(id, offer),
    ];
    for (const request of refused) {
      const error = asError(await t.throwsAsync(request()));
      t.is(error.code, 'WrongStatus', error.message);
      t.true(error.message.includes(transfer.id), error.message);
      t.is(error.hint, `end the transfer first: blockstore transfer delete ${transfer.id}`);
    }
    await t.throwsAsync(volumes.create({ ...newVolume, fromVolume: id }, deadline), { code: 'WrongStatus' });
    await t.throwsAsync(volumes.detach(id, deadline), { code: 'VolumeNotAttached' });
    t.deepEqual(await audit(false), []);
    await transfers.delete(transfer.id);
    await t.throwsAsync(transfers.delete(transfer.id), { code: 'TransferNotFound' });
    t.like(await read(id), { status: 'available', transfer: '', transferExpires: undefined });
    t.deepEqual(await disagreements(store, []), []);
    await volumes.extend(id, 2, deadline);
  },
);

test.serial('only an idle, detached volume is offered', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  await cluster.node('n1', {}, { driver });
  const { id } = await volumes.create(newVolume, deadline);
  await volumes.attach(id, attachment, deadline);
  await t.throwsAsync(transfers.create(id, offer), { code: 'VolumeAttached', message: /attached to i-1/ });
  await volumes.detach(id, deadline);
  const release = driver.holdOnce('extendVolume');
  const extending = volumes.extend(id, 2, deadline);
  await until(() => driver.isHeld('extendVolume'), 'it is being extended');
  await t.throwsAsync(transfers.create(id, offer), { code: 'WrongStatus', message: /extend under way/ });
  release();
  await extending;
  await t.throwsAsync(transfers.create('0a1b2c3d-0000-4000-8000-000000000001', offer), { code: 'VolumeNotFound' });
});

test.serial('an unknown id, a wrong key and a used one are refused alike; the owner cannot accept', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  const { transfer, key } = await transfers.create(id, offer);
  const other = '0a1b2c3d-0000-4000-8000-000000000001';
  const messages = new Set<string>();
  const refuse = async (asked: string, given: string) => {
    const error = await t.throwsAsync(transfers.accept(asked, given, receiver, deadline), { code: 'TransferRefused' });
    messages.add(error.message.replace(asked, 'ID'));
  };
  await refuse(other, key);
  await refuse(transfer.id, '');
  await refuse(transfer.id, `${key}0`);
  await refuse(
    transfer.id,
    key.replace(/^./, (first) => (first === '0' ? '1' : '0')),
  );
  await t.throwsAsync(transfers.accept(transfer.id, key, { ...receiver, projectId: 'web' }, deadline), {
    code: 'TransferToOwner',
  });
  await t.throwsAsync(transfers.accept(transfer.id, key, { ...receiver, projectId: '' }, deadline), {
    code: 'InvalidArgument',
  });
  t.like(await read(id), { ...owner, status: 'awaiting-transfer' });
  const readOver = key.toUpperCase().replaceAll('-', ' ').replaceAll('0', 'O').replaceAll('1', 'l');
  t.like(await transfers.accept(transfer.id, readOver, receiver, deadline), receiver);
  await refuse(transfer.id, key);
  t.is(messages.size, 1, [...messages].join('\n'));
  const texts = await store.redis.keys('*');
  t.false(
    texts.some((name) => name.includes('transfer:')),
    'nothing is left of it',
  );
});

test.serial('the key is in no record', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  const { transfer, key } = await transfers.create(id, offer);
  const stored = JSON.stringify([
    await store.redis.hgetall(store.keys.transfer(transfer.id)),
    await store.redis.hgetall(store.keys.volume(id)),
  ]);
  t.false(stored.includes(key) || stored.includes(key.replaceAll('-', '')));
  const again = await transfers.delete(transfer.id).then(() => transfers.create(id, offer));
  t.not(again.key, key);
});

test.serial('an expired transfer is ended by its node, and the volume is available again', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  const later = await volumes.create(newVolume, deadline);
  const kept = await transfers.create(later.id, offer);
  const { transfer, key } = await transfers.create(id, { ...offer, lengthMs: 1 });
  await until(async () => (await read(id)).status === 'available', 'the node has ended it');
  t.is(await transfersOf(store).find(transfer.id), undefined);
  await t.throwsAsync(transfers.accept(transfer.id, key, receiver, deadline), { code: 'TransferRefused' });
  t.like(await read(later.id), { status: 'awaiting-transfer', transfer: kept.transfer.id });
  t.deepEqual(await disagreements(store, []), []);
});

test.serial('before its node has, an expired transfer is ended by whoever acts on it or on the volume', async (t) => {
  const node = await cluster.node('n1');
  const made = await Promise.all([1, 2, 3].map(() => volumes.create(newVolume, deadline)));
  await node.stop();
  const offers = await Promise.all(made.map(({ id }) => transfers.create(id, { ...offer, lengthMs: 1 })));
  const [first, second, third] = made.map(({ id }, index) => ({
    id,
    key: offers[index]?.key ?? '',
    transfer: offers[index]?.transfer.id ?? '',
  }));
  t.truthy(first && second && third);
  if (!first || !second || !third) return;
  await until(async () => (await transfersOf(store).lookup(third.transfer)).expires < Date.now(), 'they have expired');
  await t.throwsAsync(transfers.accept(first.transfer, first.key, receiver, deadline), {
    code: 'TransferExpired',
    message: new RegExp(first.id),
  });
  t.like(await read(first.id), { ...owner, status: 'available', transfer: '' });
  t.like(await volumes.attach(second.id, attachment), { status: 'in-use', attachStatus: 'attaching', transfer: '' });
  const renewed = await transfers.create(third.id, offer);
  t.like(await read(third.id), { status: 'awaiting-transfer', transfer: renewed.transfer.id });
  t.deepEqual(await store.redis.zrange(store.keys.transfers(), '0', '-1'), [renewed.transfer.id]);
});

test.serial(
  'an acceptance whose labels fail leaves the volume with its new owner, and an audit labels it',
  async (t) => {
    const fake = new FakeDriver();
    const driver = new FaultyDriver(fake);
    await cluster.node('n1', {}, { driver });
    const { id } = await volumes.create(newVolume, deadline);
    const { transfer, key } = await transfers.create(id, offer);
    driver.failOnce('labelVolume', errors.invalidArgument('LVM tag', 'name', 'at most 1024 characters long'));
    await t.throwsAsync(transfers.accept(transfer.id, key, receiver, deadline), { code: 'InvalidArgument' });
    t.like(await read(id), { ...receiver, status: 'available', task: undefined, fault: { code: 'InvalidArgument' } });
    t.like((await fake.listVolumes())[0]?.labels, { project: 'web' });
    t.like(await audit(false), [{ object: `volume ${id}`, fix: 'label it anew', fixed: false }]);
    t.like(await audit(true), [{ object: `volume ${id}`, fix: 'label it anew', fixed: true }]);
    t.like((await fake.listVolumes())[0]?.labels, { user: 'bob', project: 'lab' });
    t.is((await read(id)).fault, undefined);
    t.deepEqual(await audit(false), []);
  },
);

test.serial('an audit reports a snapshot whose label names another owner, and labels it', async (t) => {
  const driver = new FakeDriver();
  await cluster.node('n1', {}, { driver });
  const { id } = await volumes.create(newVolume, deadline);
  const snapshot = await snapshots.create(id, owner, deadline);
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot.id, set: { projectId: 'lab' } }] });
  const difference = { object: `snapshot ${snapshot.id}`, what: 'has other labels on its storage than its record' };
  t.like(await audit(false), [{ ...difference, fixed: false }]);
  t.like(await audit(true), [{ ...difference, fixed: true }]);
  t.like((await driver.snapshots.listSnapshots())[0]?.labels, { user: 'ann', project: 'lab' });
  t.deepEqual(await audit(false), []);
});

test.serial('an acceptance while the node is down is completed at its next start', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const { id } = await volumes.create(newVolume, deadline);
  const { transfer, key } = await transfers.create(id, offer);
  await node.stop();
  t.like(await transfers.accept(transfer.id, key, receiver), { ...receiver, status: 'transferring' });
  t.like((await driver.listVolumes())[0]?.labels, { project: 'web' });
  await t.throwsAsync(volumes.attach(id, attachment), { code: 'WrongStatus', message: /relabel under way/ });
  await cluster.node('n1', {}, { driver });
  await until(async () => (await read(id)).status === 'available', 'the node has labelled it');
  t.like((await driver.listVolumes())[0]?.labels, { user: 'bob', project: 'lab' });
});

test.serial('a node that is declared lost ends the transfers of its volumes', async (t) => {
  const node = await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  const { transfer, key } = await transfers.create(id, offer);
  await node.stop();
  await declareLost(store, 'n1', { topic: 'volume' });
  t.like(await read(id), { status: 'error', transfer: '', fault: { code: 'NodeLost' } });
  t.is(await transfersOf(store).find(transfer.id), undefined);
  await t.throwsAsync(transfers.accept(transfer.id, key, receiver, deadline), { code: 'TransferRefused' });
});

test.serial('an emptied Redis: an offered volume is available, an accepted one is the new owner’s', async (t) => {
  const directory = join(cluster.directory, 'pool');
  await mkdir(directory);
  const driver = new FileDriver({ directory });
  await driver.setup();
  await cluster.node('n1', {}, { driver });
  const small = { ...newVolume, size: 0 };
  const offered = await volumes.create(small, deadline);
  const given = await volumes.create(small, deadline);
  const snapshot = await snapshots.create(given.id, owner, deadline);
  const { transfer, key } = await transfers.create(given.id, offer);
  await transfers.accept(transfer.id, key, receiver, deadline);
  await transfers.create(offered.id, offer);
  await store.redis.flushall();
  const restored = () => snapshotsOf(store).find(snapshot.id);
  const hasAll = async () => (await audit(true)).length === 0 && (await restored()) !== undefined;
  await until(hasAll, 'volumes and snapshot have records again');
  t.like(await read(offered.id), { ...owner, status: 'available', transfer: '' });
  t.like(await read(given.id), { ...receiver, status: 'available', createTime: given.createTime });
  t.like(await restored(), { ...receiver, volume: given.id, status: 'available' });
  t.deepEqual(await store.redis.zrange(store.keys.transfers(), '0', '-1'), []);
});

test.serial('more snapshots than a change set moves are refused, and can stay', async (t) => {
  await cluster.node('n1');
  const { id } = await volumes.create(newVolume, deadline);
  const fields = { ...owner, volume: id, size: '1', status: 'available' };
  const insert = (count: number) =>
    commit(store, {
      edits: Array.from({ length: count }, () => ({
        kind: 'snapshot' as const,
        id: crypto.randomUUID(),
        insert: true as const,
        set: fields,
        stamp: ['createTime'],
      })),
    });
  await insert(maxSnapshots);
  const { transfer, key } = await transfers.create(id, offer);
  await insert(1);
  await t.throwsAsync(transfers.accept(transfer.id, key, receiver, deadline), { code: 'TooManySnapshots' });
  t.like(await read(id), { ...owner, status: 'awaiting-transfer' });
  await transfers.delete(transfer.id);
  await t.throwsAsync(transfers.create(id, offer), { code: 'TooManySnapshots', message: /more than 200 snapshots/ });
  const alone = await transfers.create(id, { ...offer, withSnapshots: false });
  await transfers.accept(alone.transfer.id, alone.key, receiver, deadline);
  t.is(await store.redis.zcard(store.keys.projectSnapshots('web')), maxSnapshots + 1);
});

test.serial('a volume and a transfer that contradict each other after a loss of changes are put right', async (t) => {
  await cluster.node('n1');
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => volumes.create(newVolume, deadline)));
  t.truthy(first && second && third);
  if (!first || !second || !third) return;
  const stale = await transfers.create(first.id, offer);
  await commit(store, {
    edits: [{ kind: 'volume', id: first.id, set: { status: 'available' }, unset: ['transfer', 'transferExpires'] }],
  });
  await t.throwsAsync(transfers.accept(stale.transfer.id, stale.key, receiver, deadline), { code: 'TransferRefused' });
  await transfers.delete(stale.transfer.id);
  const lost = await transfers.create(first.id, offer);
  await commit(store, { edits: [{ kind: 'transfer', id: lost.transfer.id, remove: true }] });
  await commit(store, { edits: [{ kind: 'volume', id: second.id, set: { status: 'awaiting-transfer' } }] });
  await commit(store, { edits: [{ kind: 'volume', id: third.id, set: { status: 'transferring' } }] });
  const found = await audit(true);
  const expected = [
    'awaits a transfer that has no record',
    'is awaiting-transfer without a transfer',
    'is transferring, detached without a task',
  ];
  t.deepEqual(
    found.map(({ what }) => what).toSorted((one, other) => (one < other ? -1 : 1)),
    expected,
  );
  t.true(found.every(({ fixed }) => fixed));
  await until(async () => (await read(third.id)).status === 'available', 'its task has ended');
  for (const { id } of [first, second]) t.like(await read(id), { status: 'available', transfer: '' });
  t.deepEqual(await disagreements(store, []), []);
});
