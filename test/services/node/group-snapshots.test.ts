import { randomUUID } from 'node:crypto';
import test from 'ava';
import { auditRecords } from '../../../lib/audit/records.ts';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { setQuota } from '../../../lib/client/quotas.ts';
import { noCapabilities } from '../../../lib/drivers/capabilities.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { groupSnapshotsOf, membersOf } from '../../../lib/models/group-snapshot.ts';
import { maxGroupVolumes } from '../../../lib/models/group-state.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };
const owner = { userId: 'user', projectId: 'project' };

/** Takes no snapshots of several volumes. */
class PlainDriver extends FakeDriver {
  override readonly capabilities = {
    ...noCapabilities,
    snapshots: true,
    groupSnapshots: false,
    clones: true,
    extend: true,
    multiattach: true,
  };
}

let cluster: Cluster;
let store: Store;
let commands: ClusterCommands;
let driver: FakeDriver;

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FakeDriver();
  await cluster.node('n1', {}, [
    { name: 'fake', driver },
    { name: 'plain', driver: new PlainDriver() },
  ]);
  commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
});
test.after.always(() => cluster.close());

async function newVolume(projectId = 'project', node = 'n1@fake'): Promise<string> {
  return (await commands.commands.create({ size: 1, userId: 'user', projectId, node }, deadline)).id;
}

async function newGroup(count: number, projectId = 'project', node = 'n1@fake') {
  const volumes = await Promise.all(Array.from({ length: count }, () => newVolume(projectId, node)));
  const { id } = await commands.groups.create({ userId: 'user', projectId });
  await commands.groups.update(id, { add: volumes });
  return { group: id, volumes };
}

async function agree(t: { deepEqual: (one: unknown, other: unknown) => void }): Promise<void> {
  t.deepEqual(await disagreements(store, []), []);
  t.deepEqual(await auditRecords(store, { repair: false }).next(), { done: true, value: undefined });
}

test.serial('a group snapshot has a snapshot of each volume, and is deleted as one', async (t) => {
  const { group, volumes } = await newGroup(3);
  const request = { ...owner, id: randomUUID(), name: 'before', description: 'of Monday' };
  await commands.commands.attach(volumes[1] ?? '', { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  for (const _ of ['once', 'twice']) {
    const taken = await commands.groupSnapshots.create(group, request, deadline);
    t.like(taken, { ...request, group, status: 'available', fault: undefined });
  }
  const members = await membersOf(store, request.id);
  t.deepEqual(members.map(({ volume }) => volume).toSorted(), volumes.toSorted());
  for (const one of members) t.like(one, { status: 'available', name: 'before', size: 1, groupSnapshot: request.id });
  const stored = await driver.snapshots.listSnapshots();
  t.deepEqual(stored.map(({ id }) => id).toSorted(), members.map(({ id }) => id).toSorted());
  for (const { labels } of stored) t.is(labels['group'], request.id);
  for (const id of volumes) t.like(await volumesOf(store).lookup(id), { task: undefined, snapshot: '', group });
  await agree(t);
  await t.throwsAsync(commands.groupSnapshots.create(group, { ...request, name: 'other' }, deadline), {
    code: 'GroupSnapshotExists',
  });
  const [first] = members;
  await t.throwsAsync(commands.snapshots.delete(first?.id ?? '', deadline), { code: 'SnapshotOfGroup' });
  await t.throwsAsync(commands.groups.delete(group, { ...deadline, volumes: true }), { code: 'GroupHasSnapshots' });
  await commands.groups.update(group, { remove: volumes });
  await t.throwsAsync(commands.commands.delete(volumes[0] ?? '', { ...deadline, withSnapshots: true }), {
    code: 'SnapshotOfGroup',
  });
  const { id: copy } = await commands.commands.create({ size: 1, ...owner, fromSnapshot: first?.id ?? '' }, deadline);
  await commands.groupSnapshots.delete(request.id, deadline);
  await t.throwsAsync(commands.groupSnapshots.delete(request.id, deadline), { code: 'GroupSnapshotNotFound' });
  t.deepEqual(await driver.snapshots.listSnapshots(), []);
  await agree(t);
  await commands.commands.detach(volumes[1] ?? '', deadline);
  for (const id of [copy, ...volumes]) await commands.commands.delete(id, deadline);
  await commands.groups.delete(group, deadline);
  await agree(t);
});

test.serial(
  'a group snapshot that fails has no snapshot on its storage, is in error, and can be deleted',
  async (t) => {
    const { group, volumes } = await newGroup(3);
    const take = driver.snapshots.createSnapshots.bind(driver.snapshots);
    driver.snapshots.createSnapshots = async (all) => {
      await take(all.slice(0, 2));
      throw errors.pauseTooLong(3, 10);
    };
    const id = randomUUID();
    await t.throwsAsync(commands.groupSnapshots.create(group, { ...owner, id }, deadline), { code: 'PauseTooLong' });
    driver.snapshots.createSnapshots = take;
    t.like(await groupSnapshotsOf(store).lookup(id), { status: 'error', fault: { code: 'PauseTooLong' } });
    for (const one of await membersOf(store, id)) t.like(one, { status: 'error', fault: { code: 'PauseTooLong' } });
    t.deepEqual(await driver.snapshots.listSnapshots(), []);
    for (const volume of volumes) {
      t.like(await volumesOf(store).lookup(volume), { status: 'available', fault: undefined, task: undefined });
    }
    await t.throwsAsync(commands.groupSnapshots.create(group, { ...owner, id }, deadline), { code: 'PauseTooLong' });
    await agree(t);
    const remove = driver.snapshots.deleteSnapshot.bind(driver.snapshots);
    driver.snapshots.deleteSnapshot = async ({ id: snapshot }) => {
      throw errors.snapshotUnusable(snapshot, 'as the test has it');
    };
    await t.throwsAsync(commands.groupSnapshots.delete(id, deadline), { code: 'SnapshotUnusable' });
    driver.snapshots.deleteSnapshot = remove;
    t.like(await groupSnapshotsOf(store).lookup(id), { status: 'error_deleting' });
    await agree(t);
    await commands.groupSnapshots.delete(id, deadline);
    await commands.groups.delete(group, { ...deadline, volumes: true });
    await agree(t);
  },
);

test.serial(
  'while a group snapshot is taken, what would change a volume is refused, and a repeated request waits',
  async (t) => {
    const { group, volumes } = await newGroup(2);
    const { promise, resolve } = Promise.withResolvers<void>();
    const take = driver.snapshots.createSnapshots.bind(driver.snapshots);
    driver.snapshots.createSnapshots = async (all) => {
      await promise;
      return take(all);
    };
    const id = randomUUID();
    const taken = [1, 2].map(() => commands.groupSnapshots.create(group, { ...owner, id }, deadline));
    const [first = ''] = volumes;
    await until(async () => (await volumesOf(store).lookup(first)).task?.kind === 'group-snapshot', 'it has begun');
    await t.throwsAsync(commands.commands.extend(first, 2), {
      code: 'WrongStatus',
      message: /group-snapshot under way/,
    });
    await t.throwsAsync(commands.groupSnapshots.create(group, owner, deadline), { code: 'WrongStatus' });
    await t.throwsAsync(commands.groupSnapshots.delete(id, deadline), { code: 'SnapshotBusy' });
    resolve();
    for (const one of taken) t.like(await one, { id, status: 'available' });
    driver.snapshots.createSnapshots = take;
    await commands.groupSnapshots.delete(id, deadline);
    await commands.groups.delete(group, { ...deadline, volumes: true });
    await agree(t);
  },
);

test.serial(
  'a group snapshot is refused of an empty group, beyond the quota, and by a backend that cannot',
  async (t) => {
    const { id: empty } = await commands.groups.create(owner);
    await t.throwsAsync(commands.groupSnapshots.create(empty, owner, deadline), { code: 'GroupEmpty' });
    await t.throwsAsync(commands.groupSnapshots.create(randomUUID(), owner, deadline), { code: 'GroupNotFound' });
    const plain = await newGroup(2, 'project', 'n1@plain');
    await t.throwsAsync(commands.groupSnapshots.create(plain.group, owner, deadline), {
      code: 'NotCapable',
      message: /groupSnapshots/,
    });
    const limited = await newGroup(2, 'limited');
    await setQuota(store, 'limited', { snapshots: 1 });
    const request = { userId: 'user', projectId: 'limited' };
    await t.throwsAsync(commands.groupSnapshots.create(limited.group, request, deadline), { code: 'QuotaExceeded' });
    t.deepEqual(await Array.fromAsync(groupSnapshotsOf(store).iterate(store.keys.groupSnapshots())), []);
    for (const { group } of [plain, limited]) await commands.groups.delete(group, { ...deadline, volumes: true });
    await commands.groups.delete(empty);
    await agree(t);
  },
);

test.serial(`all ${maxGroupVolumes} volumes of a group are in a group snapshot`, async (t) => {
  const { group } = await newGroup(maxGroupVolumes);
  const { id } = await commands.groupSnapshots.create(group, owner, deadline);
  t.is((await membersOf(store, id)).length, maxGroupVolumes);
  await agree(t);
  await commands.groupSnapshots.delete(id, deadline);
  await commands.groups.delete(group, { ...deadline, volumes: true });
  await agree(t);
});

test.serial('where Redis has lost a record of it, a group snapshot that is under way ends all the same', async (t) => {
  for (const lost of ['group-snapshot', 'snapshot', 'volume'] as const) {
    const { group, volumes } = await newGroup(3);
    const { promise, resolve } = Promise.withResolvers<void>();
    const take = driver.snapshots.createSnapshots.bind(driver.snapshots);
    driver.snapshots.createSnapshots = async (all) => {
      await promise;
      return take(all);
    };
    const id = randomUUID();
    await commands.groupSnapshots.create(group, { ...owner, id });
    const [first = '', second = ''] = volumes;
    await until(async () => (await volumesOf(store).lookup(first)).task?.kind === 'group-snapshot', 'it has begun');
    const { snapshot } = await volumesOf(store).lookup(second);
    const ids = { 'group-snapshot': id, snapshot, volume: second };
    await commit(store, { edits: [{ kind: lost, id: ids[lost], remove: true }] });
    resolve();
    driver.snapshots.createSnapshots = take;
    const left = lost === 'volume' ? [first] : volumes;
    await until(async () => {
      const { states } = await volumesOf(store).readAll(left);
      return states.every(({ task }) => task === undefined);
    }, `the tasks have ended without the ${lost}`);
    const others = await membersOf(store, id);
    for (const one of others) t.not(one.status, 'creating', lost);
    await commit(store, { edits: others.map((one) => ({ kind: 'snapshot', id: one.id, remove: true })) });
    await commit(store, { edits: [{ kind: 'group-snapshot', id, remove: true, optional: true }] });
    await driver.snapshots.listSnapshots().then(async (all) => {
      for (const one of all) {
        const volume = { id: one.volumeId, size: 1, sizeBytes: one.sizeBytes, labels: {} };
        await driver.snapshots.deleteSnapshot({ id: one.id, volume, labels: {} });
      }
    });
  }
});

test.serial(
  'of a lost node a group snapshot under way is in error, and one that is deleted leaves single ones',
  async (t) => {
    const other = await cluster.node('n2', {}, { driver: new FakeDriver() });
    const { group, volumes } = await newGroup(2, 'lost', 'n2');
    const request = { userId: 'user', projectId: 'lost' };
    const { id } = await commands.groupSnapshots.create(group, request, deadline);
    await other.stop();
    const { id: underWay } = await commands.groupSnapshots.create(group, request);
    await declareLost(store, 'n2', { topic: 'volume' });
    t.like(await groupSnapshotsOf(store).lookup(underWay), { status: 'error', fault: { code: 'NodeLost' } });
    for (const one of await membersOf(store, underWay)) t.is(one.status, 'error');
    for (const one of [id, underWay]) await commands.groupSnapshots.delete(one, deadline);
    t.deepEqual(await Array.fromAsync(groupSnapshotsOf(store).iterate(store.keys.groupSnapshots())), []);
    const left = await Array.fromAsync(snapshotsOf(store).iterate(store.keys.projectSnapshots('lost')));
    t.deepEqual(
      left.map(({ groupSnapshot }) => groupSnapshot),
      ['', '', '', ''],
    );
    await commands.groups.update(group, { remove: volumes });
    for (const volume of volumes) await commands.commands.delete(volume, { ...deadline, withSnapshots: true });
    await commands.groups.delete(group);
  },
);

test.serial('a group snapshot of a volume whose record cannot be read is kept, with its storage', async (t) => {
  for (const count of [1, 2]) {
    const { group, volumes } = await newGroup(count);
    const { id } = await commands.groupSnapshots.create(group, owner, deadline);
    const members = await membersOf(store, id);
    const key = store.keys.volume(volumes[0] ?? '');
    await store.redis.hset(key, { status: 'hibernating' });
    await t.throwsAsync(commands.groupSnapshots.delete(id, deadline), { code: 'RecordUnreadable' });
    t.deepEqual(await membersOf(store, id), members);
    await store.redis.hset(key, { status: 'available' });
    await commands.groupSnapshots.delete(id, deadline);
    const left = (await driver.snapshots.listSnapshots()).filter((one) =>
      members.some((member) => member.id === one.id),
    );
    t.deepEqual(left, []);
  }
});
