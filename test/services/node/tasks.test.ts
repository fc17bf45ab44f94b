import { randomUUID } from 'node:crypto';
import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { startTask } from '../../../lib/client/start-task.ts';
import { editOf } from '../../../lib/models/volume-edit.ts';
import { contradiction } from '../../../lib/models/volume-state.ts';
import { type NewVolume, volumesOf } from '../../../lib/models/volume.ts';
import { redisTime } from '../../../lib/redis/redis-time.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { fakeNode, insertVolume } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** A request that is repeated with the same arguments has one effect; with others it is refused. */

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

/** A node that carries out nothing: commands stay in its topic. */
async function idleNode(): Promise<() => Promise<number>> {
  await fakeNode(store, 'n1', { backends: [{}] });
  return () => store.redis.xlen(store.keys.topic('volume.n1'));
}

test.serial('the same request twice has one effect', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const id = '6f1c2f3e-0000-4000-8000-000000000001';
  const [one, other] = await Promise.all([1, 2].map(() => commands.create({ ...newVolume, id }, deadline)));
  t.is(one?.id, other?.id);
  t.is((await Array.fromAsync(node.all())).length, 1);
  await Promise.all([commands.delete(id, deadline), commands.delete(id, deadline)]);
  t.deepEqual(await Array.fromAsync(node.all()), []);
  await until(async () => (await disagreements(store, [])).length === 0, 'no command is left');
});

test.serial('an instance that is called "unknown" has its volume to itself', async (t) => {
  await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const unknown = { instanceId: 'unknown', mountpoint: '/dev/vdb' };
  await commands.attach(id, unknown, deadline);
  await t.throwsAsync(commands.attach(id, unknown, deadline), { code: 'VolumeAttached' });
});

test.serial(
  'a delete of a volume that another request has deleted just now succeeds, an attach does not',
  async (t) => {
    await idleNode();
    const volume = await insertVolume(store, { node: 'n1', status: 'available' });
    await commit(store, { edits: [{ kind: 'volume', id: volume.id, remove: true }] });
    const request = { topic: 'volume', by: '', whenLost: 'refuse' } as const;
    t.like(await startTask(store, { ...request, transition: 'startDelete', kind: 'delete' }, volume), { end: {} });
    const attach = startTask(store, { ...request, transition: 'startAttach', kind: 'attach' }, volume);
    await t.throwsAsync(attach, { code: 'VolumeNotFound' });
  },
);

test.serial('requests that join a task add no command, and each gets the answer', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  await cluster.node('n1', {}, { driver });
  const first = await cluster.commands();
  const others = [await cluster.commands(), await cluster.commands()];
  const { id } = await first.create(newVolume, deadline);
  for (const verb of ['ensureVolume', 'deleteVolume'] as const) {
    const release = driver.holdOnce(verb);
    const ask = (commands: typeof first) =>
      verb === 'ensureVolume' ? commands.attach(id, attachment, deadline) : commands.delete(id, deadline);
    const begun = ask(first);
    await until(async () => (await store.redis.zcard(store.keys.tasks('n1'))) === 1, 'it has begun');
    const requesters = async () => (await store.redis.hget(store.keys.volume(id), 'requesters'))?.split(' ') ?? [];
    const joined = others.map(ask);
    await until(async () => (await requesters()).length === 3, 'the others have joined');
    t.is(await store.redis.xlen(store.keys.topic('volume.n1')), 0, 'the one command was fetched, and none came');
    release();
    const ends = await Promise.all([begun, ...joined]);
    if (verb === 'ensureVolume') t.true(ends.every((volume) => volume?.attachStatus === 'attached'));
    if (verb === 'ensureVolume') await first.detach(id, deadline);
  }
  t.is(await store.redis.exists(store.keys.volume(id)), 0);
});

test.serial('each change of status has one command, however often it is requested', async (t) => {
  const length = await idleNode();
  const commands = await cluster.commands();
  const id = randomUUID();
  for (let count = 0; count < 5; count += 1) await commands.create({ ...newVolume, id });
  t.is(await length(), 1);
  await store.redis.hset(store.keys.volume(id), 'status', 'available');
  await store.redis.hdel(store.keys.volume(id), 'task');
  for (let count = 0; count < 5; count += 1) await commands.attach(id, attachment);
  t.is(await length(), 2);
  await Promise.all(Array.from({ length: 20 }, () => commands.attach(id, attachment)));
  t.is(await length(), 2);
});

test.serial('a node leaves alone the task of another node that a message brings it', async (t) => {
  await fakeNode(store, 'n1', { backends: [{}] });
  const driver = new FakeDriver();
  await cluster.node('n2', {}, { driver });
  const { id } = await insertVolume(store, { status: 'available' });
  const labels = { user: 'user', project: 'project', size: '1' };
  await driver.createVolume({ id, size: 1, sizeBytes: 2 ** 30, labels }); // as if both reached the same storage
  const before = await volumesOf(store).lookup(id);
  const message = { topic: 'volume.n2', message: JSON.stringify({ volume: id }) };
  await commit(store, { edits: [editOf(before, 'startDelete')], commands: [message] });
  await until(async () => (await store.redis.xlen(store.keys.topic('volume.n2'))) === 0, 'n2 has seen the message');
  t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'deleting', task: { kind: 'delete' } });
  t.is((await driver.listVolumes()).length, 1);
});

test.serial('a repeated attach with other arguments, or another request meanwhile, is refused', async (t) => {
  await idleNode();
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume);
  await t.throwsAsync(commands.delete(id), { code: 'WrongStatus', message: /creating, with its create under way/ });
  await store.redis.hset(store.keys.volume(id), 'status', 'available');
  await store.redis.hdel(store.keys.volume(id), 'task');
  await commands.attach(id, { ...attachment, hosts: ['52:54:00:00:00:01'] });
  for (const other of [
    attachment,
    { ...attachment, hosts: ['52:54:00:00:00:02'] },
    { ...attachment, hosts: ['52:54:00:00:00:01'], mode: 'ro' as const },
    { ...attachment, hosts: ['52:54:00:00:00:01'], instanceId: 'i-2' },
    { ...attachment, hosts: ['52:54:00:00:00:01'], mountpoint: '/dev/vdc' },
  ]) {
    await t.throwsAsync(commands.attach(id, other), { code: 'VolumeAttached' }, JSON.stringify(other));
  }
  await t.throwsAsync(commands.detach(id), { code: 'WrongStatus', message: /attaching/ });
  await t.throwsAsync(commands.delete(id), { code: 'VolumeAttached' });
});

test.serial('an id that exists is VolumeExists, with the difference named', async (t) => {
  await cluster.node('n1');
  await cluster.node('n2');
  const commands = await cluster.commands();
  const id = randomUUID();
  const metadata = { of: 'web', in: 'rack 1' };
  const request = { ...newVolume, id, name: 'data', node: 'n1', metadata };
  await commands.create(request, deadline);
  await commands.create({ ...request, metadata: { in: 'rack 1', of: 'web' } }, deadline);
  const cases: [Partial<NewVolume> & { node?: string }, RegExp][] = [
    [{ isEncrypted: true }, /its encryption is false, not true/],
    [{ isMultiattach: true }, /its multiattach is false, not true/],
    [{ isReadOnly: true }, /its read-only flag is false, not true/],
    [{ isBootable: true }, /its bootable flag is false, not true/],
    [{ description: 'logs' }, /its description is "", not "logs"/],
    [{ metadata: { of: 'mail' } }, /its metadata is "in=rack 1, of=web", not "of=mail"/],
    [{ group: randomUUID() }, /its group is "", not /],
    [{ size: 2 }, /its size is 1, not 2/],
    [{ name: 'other' }, /its name is "data", not "other"/],
    [{ userId: 'other' }, /its user is "user", not "other"/],
    [{ projectId: 'other' }, /its project is "project", not "other"/],
    [{ node: 'n2' }, /its node is "n1", not "n2"/],
    [{ node: 'n1@other' }, /its backend is "fake", not "other"/],
  ];
  for (const [change, message] of cases) {
    await t.throwsAsync(commands.create({ ...request, ...change }, deadline), { code: 'VolumeExists', message });
  }
});

test.serial('an id that is being deleted is VolumeExists', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const id = randomUUID();
  await commands.create({ ...newVolume, id }, deadline);
  const release = driver.holdOnce('deleteVolume');
  const deleting = commands.delete(id, deadline);
  await until(async () => (await store.redis.hget(store.keys.volume(id), 'status')) === 'deleting', 'it is deleting');
  const request = commands.create({ ...newVolume, id }, deadline);
  await t.throwsAsync(request, { code: 'VolumeExists', message: /it is being deleted/ });
  release();
  await deleting;
  t.is((await commands.create({ ...newVolume, id }, deadline)).status, 'available', 'then the id is free');
});

test.serial(
  'audits with the same arguments join, others are refused, and an expired one is not carried out',
  async (t) => {
    const driver = new FaultyDriver(new FakeDriver());
    await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver });
    const nodes = await Promise.all([cluster.nodeCommands(), cluster.nodeCommands(), cluster.nodeCommands()]);
    const [one, same, other] = nodes;
    const request = { repair: false, remove: [] };
    const release = driver.holdOnce('listVolumes');
    const first = one?.audit('n1', request, deadline);
    const hasTask = async () => (await store.redis.hexists(store.keys.node('n1'), 'task')) === 1;
    await until(hasTask, 'the audit is requested');
    const joined = same?.audit('n1', request, deadline);
    await t.throwsAsync(other?.audit('n1', { ...request, repair: true }, deadline) ?? Promise.reject(new Error()), {
      code: 'NodeBusy',
    });
    const isJoined = async () => (await store.redis.hget(store.keys.node('n1'), 'requesters'))?.includes(' ');
    await until(isJoined, 'the second has joined');
    release();
    t.deepEqual(await Promise.all([first, joined]), [
      { findings: [], notExamined: [], notCompared: [] },
      { findings: [], notExamined: [], notCompared: [] },
    ]);
    t.false(await hasTask());

    const past = { kind: 'audit', key: 'k', request: { repair: false, remove: [] }, deadline: 1 };
    await store.redis.hset(store.keys.node('n1'), 'task', JSON.stringify(past));
    let looks = 0;
    const list = driver.listVolumes.bind(driver);
    driver.listVolumes = async () => {
      looks += 1;
      return list();
    };
    await store.redis.xadd(store.keys.topic('volume.n1'), '*', 'm', JSON.stringify({ node: true }));
    await until(async () => !(await hasTask()), 'the expired task is dropped');
    t.is(looks, 0);
  },
);

test.serial('a request that joins one that its node begins too late gets no answer, in so many words', async (t) => {
  await cluster.node('n1');
  const { redis, keys } = store;
  const request = { repair: false, remove: [] };
  const task = { kind: 'audit', key: 'k', request, deadline: (await redisTime(store)) + 5000 };
  await redis.hset(keys.node('n1'), 'task', JSON.stringify(task), 'requesters', 'gone/1');
  const joined = (await cluster.nodeCommands()).audit('n1', request, { deadlineMs: 120_000 });
  joined.catch(() => undefined); // it may fail before it is awaited
  const requesters = async () => (await redis.hget(keys.node('n1'), 'requesters'))?.split(' ').length;
  await until(async () => (await requesters()) === 2, 'it has joined');
  await until(async () => (await redisTime(store)) > task.deadline, 'the task is late');
  await redis.xadd(keys.topic('volume.n1'), '*', 'm', JSON.stringify({ node: true }));
  await t.throwsAsync(joined, { code: 'NoAnswer' });
});

test.serial('a node that dies with an audit and a detach in its topic can be declared lost', async (t) => {
  const length = await idleNode();
  const commands = await cluster.commands();
  const fields = { status: 'in-use', attachStatus: 'attached', instanceId: 'i-1' };
  const { id } = await insertVolume(store, fields);
  const nodeCommands = await cluster.nodeCommands();
  await t.throwsAsync(nodeCommands.audit('n1', { repair: false, remove: [] }, { deadlineMs: 50 }), {
    code: 'NoAnswer',
  });
  await commands.detach(id);
  t.is(await length(), 2);
  await store.redis.del(store.keys.lease('n1'));
  t.is(await declareLost(store, 'n1', { topic: 'volume' }), 1);
  const volume = await volumesOf(store).lookup(id);
  t.like(volume, { status: 'error', attachStatus: 'detached', task: undefined });
  t.is(contradiction(volume), undefined);
  await commands.delete(id, deadline);
  t.is(await volumesOf(store).find(id), undefined);
});
