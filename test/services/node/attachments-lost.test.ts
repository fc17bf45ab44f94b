import { randomUUID } from 'node:crypto';
import test from 'ava';
import { meantAttachment } from '../../../cli/volume/meant-attachment.ts';
import { auditReferences } from '../../../lib/audit/references.ts';
import { AttachmentCommands } from '../../../lib/client/attachment-commands.ts';
import { attachPlan } from '../../../lib/client/attachment-plans.ts';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { startTask } from '../../../lib/client/start-task.ts';
import { createType } from '../../../lib/client/types.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { asError, errors } from '../../../lib/errors.ts';
import { attachmentsOf } from '../../../lib/models/attachment.ts';
import { noLimits } from '../../../lib/models/limits.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import {
  type AttachmentPlace,
  at,
  attachmentPlace,
  deadline,
  hostA,
  hostB,
  newVolume,
  rarely,
} from '../../support/attachment-place.ts';
import { ReadInBetween, instancesOf, loseAttachments, usesOf } from '../../support/attachments.ts';
import { loseRecord } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Attachments that Redis loses, that somebody changes, and those of a node that is lost. */

let cluster: AttachmentPlace['cluster'];
let store: AttachmentPlace['store'];
let driver: AttachmentPlace['driver'];
let target: AttachmentPlace['target'];
let node: AttachmentPlace['node'];
let commands: AttachmentPlace['commands'];
let attachments: AttachmentPlace['attachments'];
let agreement: AttachmentPlace['agreement'];
let audit: AttachmentPlace['audit'];
let shared: AttachmentPlace['shared'];

test.beforeEach(async () => {
  ({ cluster, store, driver, target, node, commands, attachments, agreement, audit, shared } = await attachmentPlace());
});
test.afterEach.always(() => cluster.close());

test.serial('an emptied Redis: who has the volume is unknown, and all its hosts go on', async (t) => {
  const { id } = await shared();
  await node.stop();
  await store.redis.flushall();
  node = await cluster.node('n1', rarely, { driver, target });
  t.like(await node.getVolume(id), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(target.exports.get(id)?.hosts, [hostA, hostB]);
  t.deepEqual(await instancesOf(store, id), ['unknown']);
  await commands.detach(id, deadline);
  await until(async () => (await agreement()).length === 0, 'all agrees');
});

test.serial('an emptied Redis: the limits that an export has hold on', async (t) => {
  const { id: type } = await createType(store, { name: 'slow', requirements: { multiattach: 'yes' }, iops: 500 });
  const { id } = await commands.create({ ...newVolume, type }, deadline);
  const { limits } = await commands.attach(id, at('a', hostA), deadline);
  await node.stop();
  await store.redis.flushall();
  node = await cluster.node('n1', rarely, { driver, target });
  t.deepEqual((await volumesOf(store).lookup(id)).limits, limits);
  t.like(target.exports.get(id), { limits, hosts: [hostA] });
  await commands.attach(id, at('a', hostA), deadline);
  t.like(target.exports.get(id), { limits, hosts: [hostA] }, 'nor does a repeated attach remove them');
  t.deepEqual(await instancesOf(store, id), ['a']);
  await commands.detach(id, deadline);
  t.deepEqual((await volumesOf(store).lookup(id)).limits, noLimits);
});

test.serial('an attachment that is lost and made again has the limits of the type', async (t) => {
  const { id: type } = await createType(store, { name: 'slow', requirements: {}, iops: 500 });
  const { id } = await commands.create({ ...newVolume, type }, deadline);
  const { limits } = await commands.attach(id, at('a', hostA), deadline);
  await loseAttachments(store, id);
  await store.redis.hset(store.keys.volume(id), { status: 'available', attachStatus: 'detached' });
  target.exports.set(id, { id, address: '', path: '', readOnly: false, hosts: [hostA] }); // as of a target that has none
  await audit();
  t.deepEqual((await volumesOf(store).lookup(id)).limits, noLimits);
  t.like(await commands.attach(id, at('a', hostA), deadline), { limits });
  t.like(target.exports.get(id), { limits, hosts: [hostA] });
});

test.serial('a volume whose own record is lost has its attachments again', async (t) => {
  const { id, a, b } = await shared();
  await loseRecord(store, id);
  await audit();
  t.like(await volumesOf(store).lookup(id), { attachStatus: 'attached', attachments: [a, b] });
  t.deepEqual(await instancesOf(store, id), ['a', 'b']);
  t.deepEqual(await agreement(), []);
});

/** Redis loses the record of an attachment. */
async function loseAttachment(volume: string, id: string): Promise<void> {
  const { redis, keys } = store;
  await redis.del(keys.attachment(id));
  for (const key of [keys.attachments(), keys.volumeAttachments(volume), keys.projectAttachments('project')]) {
    await redis.zrem(key, id);
  }
}

test.serial('attachments that are lost, changed or left over are put right by an audit', async (t) => {
  const { id, a, b } = await shared();
  const { redis, keys } = store;
  await loseAttachment(id, a);
  t.deepEqual(await audit(), [`has an attachment ${a} without a record`]);
  t.deepEqual((await instancesOf(store, id)).toSorted(), ['b', 'unknown']);
  t.deepEqual((await usesOf(store, id)).find(({ instanceId }) => instanceId === 'unknown')?.hosts, [hostA]);
  t.deepEqual(await agreement(), []);

  await redis.hset(keys.attachment(b), 'status', 'detaching');
  t.deepEqual(await audit(), [`is attached, and its attachment ${b} is detaching`]);
  t.deepEqual(await agreement(), []);

  await redis.hset(keys.volume(id), 'attachHosts', hostB);
  t.deepEqual(await audit(), ['has other rights than its attachments']);
  t.deepEqual(await audit(), []);
  t.deepEqual(target.exports.get(id)?.hosts?.toSorted(), [hostA, hostB]);

  await redis.hdel(keys.volume(id), 'attachments');
  t.deepEqual(await audit(), ['is attached without an attachment']);
  t.is((await volumesOf(store).lookup(id)).attachments.length, 2);
  t.deepEqual(await agreement(), []);
  for (const { id: one } of await usesOf(store, id)) await commands.detach(id, { ...deadline, attachment: one });

  const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
  await redis.hset(keys.volume(id), 'status', 'available');
  await redis.hdel(keys.volume(id), 'attachments');
  t.deepEqual(await audit(), [`does not have the attachment ${reserved}, which is of it`]);
  t.is(await attachmentsOf(store).find(reserved), undefined);
  const { id: last } = await attachments.reserve(id, { instanceId: 'd' });
  await redis.hset(keys.volume(id), 'status', 'available');
  t.deepEqual(await audit(), ['is available with an attachment']);
  t.like(await volumesOf(store).lookup(id), { status: 'reserved', attachments: [last] });
  await attachments.delete(last);
  t.deepEqual(await agreement(), []);
});

test.serial('an attachment of a volume that is gone is removed by an audit', async (t) => {
  const volume = randomUUID();
  const { id } = await commands.create(newVolume, deadline);
  const reserved = await attachments.reserve(id, { instanceId: 'c' });
  await store.redis.hset(store.keys.attachment(reserved.id), 'volume', volume);
  const found = await Array.fromAsync(auditReferences(store, { repair: true }));
  t.like(found, [{ object: `attachment ${reserved.id}`, fixed: true }]);
  t.is(await attachmentsOf(store).find(reserved.id), undefined);
});

test.serial('a node that is lost keeps what is attached, and what was being attached is detached', async (t) => {
  const { id } = await shared();
  const { id: reserved } = await commands.create(newVolume, deadline);
  await attachments.reserve(reserved, { instanceId: 'c' });
  const { promise, resolve } = Promise.withResolvers<void>();
  t.teardown(resolve);
  target.ensureExport = () => promise; // it hangs
  await commands.attach(id, at('c', '52:54:00:00:00:03'));
  await store.redis.del(store.keys.lease('n1'));
  t.is(await declareLost(store, 'n1', { topic: 'volume' }), 2);
  t.like(await volumesOf(store).lookup(id), { status: 'error', attachStatus: 'attached' });
  t.deepEqual(await instancesOf(store, id), ['a', 'b']);
  t.like(await volumesOf(store).lookup(reserved), { status: 'error', attachStatus: 'detached' });
  t.deepEqual(await instancesOf(store, reserved), ['c']);
  t.like(await commands.detach(id, { ...deadline, instance: 'a' }), { status: 'error', attachStatus: 'attached' });
  await commands.detach(id, { ...deadline, instance: 'b' });
  await commands.delete(id, deadline);
  await commands.delete(reserved, deadline);
  t.deepEqual(await store.redis.zrange(store.keys.attachments(), '0', '-1'), []);
});

for (const hosts of [[hostB], []]) {
  const title = `a host (${hosts.join('') || 'any'}) that was detached while the node was lost is not let in again by the node`;
  test.serial(title, async (t) => {
    const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
    await commands.attach(id, at('a', hostA), deadline);
    await commands.attach(id, { instanceId: 'b', mountpoint: '/dev/vdb', hosts }, deadline);
    const before = target.exports.get(id)?.hosts;
    await node.stop();
    await store.redis.del(store.keys.lease('n1'));
    await declareLost(store, 'n1', { topic: 'volume' });
    await commands.detach(id, { ...deadline, instance: 'b' });
    t.deepEqual(target.exports.get(id)?.hosts, before); // its export goes on
    node = await cluster.node('n1', rarely, { driver, target });
    t.like(await node.getVolume(id), { status: 'in-use', attachHosts: [hostA] });
    t.deepEqual(target.exports.get(id)?.hosts, [hostA]);
    t.deepEqual(await instancesOf(store, id), ['a']);
    t.deepEqual(await agreement(), []);
  });
}

test.serial('an attachment whose record cannot be read keeps its host, and others out', async (t) => {
  const { id, a } = await shared();
  const { id: single } = await commands.create(newVolume, deadline);
  const { use } = await commands.attach(single, at('a', hostA), deadline);
  for (const one of [a, use.id]) await store.redis.hset(store.keys.attachment(one), 'status', 'hibernating');
  const unreadable = { code: 'RecordUnreadable', message: /has no usable status/ };
  await t.throwsAsync(commands.attach(single, at('b', hostB), deadline), unreadable);
  await t.throwsAsync(commands.attach(id, at('c', '52:54:00:00:00:03'), deadline), unreadable);
  await t.throwsAsync(attachments.reserve(id, { instanceId: 'c' }), unreadable);
  await t.throwsAsync(commands.detach(id, { ...deadline, instance: 'b' }), unreadable);
  t.deepEqual(target.exports.get(id)?.hosts, [hostA, hostB]);
  t.like(await commands.detach(single, { ...deadline, attachment: use.id }), { status: 'available' });
});

test.serial('an attachment that Redis has lost keeps others out, and the error names its repair', async (t) => {
  const { id, a } = await shared();
  await loseAttachment(id, a);
  const lost = { code: 'AttachmentLost', message: new RegExp(`attachment ${a} of volume ${id}`) };
  await t.throwsAsync(commands.attach(id, at('c', '52:54:00:00:00:03'), deadline), lost);
  await t.throwsAsync(attachments.reserve(id, { instanceId: 'c' }), lost);
  const error = await t.throwsAsync(commands.detach(id, { ...deadline, instance: 'b' }), lost);
  t.regex(String(asError(error).hint), /blockstore audit --repair/);
  const volume = await volumesOf(store).lookup(id);
  await t.throwsAsync(meantAttachment(store, volume, { instance: 'b', force: false }), lost);
  await audit();
  await commands.detach(id, { ...deadline, instance: 'b' });
  t.deepEqual(await agreement(), []);
});

test.serial('a request that meets the end of an attachment begins anew', async (t) => {
  /** What `act` answers when `meanwhile` comes between its reads of the volume and of its attachments. */
  const between = async <T>(
    meanwhile: () => Promise<unknown>,
    act: (own: VolumeCommands, store: Store) => Promise<T>,
  ): Promise<T> => {
    const own = new ReadInBetween(store.connection, cluster.flags().redis_prefix);
    own.meanwhile = meanwhile;
    return act(new VolumeCommands(own, new RequestClient(own), 'volume'), own);
  };
  const { id, a, b } = await shared();
  const detach = (attachment: string) => () => commands.detach(id, { ...deadline, attachment });
  await between(detach(a), (own) => own.attach(id, at('c', hostA), deadline));
  t.deepEqual((await instancesOf(store, id)).toSorted(), ['b', 'c']);
  await between(detach(b), (own) => own.detach(id, { ...deadline, instance: 'c' }));
  t.deepEqual(await instancesOf(store, id), []);

  const { use: d } = await commands.attach(id, at('d', hostA), deadline);
  const { id: reserved } = await between(detach(d.id), (own, from) =>
    new AttachmentCommands(from, own).reserve(id, { instanceId: 'e' }),
  );
  t.deepEqual(await instancesOf(store, id), ['e']);
  await attachments.delete(reserved);

  const { use: f } = await commands.attach(id, at('f', hostA), deadline);
  await commands.attach(id, at('g', hostB), deadline);
  const before = await volumesOf(store).lookup(id);
  await commands.detach(id, { ...deadline, attachment: f.id });
  const meant = await meantAttachment(store, before, { instance: undefined, force: false });
  t.is(meant.use.instanceId, 'g');

  const again = { id: reserved, instanceId: 'e' };
  await attachments.reserve(id, again);
  const outdated = await volumesOf(store).lookup(id);
  await attachments.delete(reserved);
  const g = await between(
    () => attachments.reserve(id, again),
    (_own, from) => meantAttachment(from, outdated, { instance: 'g', force: false }),
  );
  t.is(g.use.id, meant.use.id);
  t.deepEqual((await instancesOf(store, id)).toSorted(), ['e', 'g']);
  t.deepEqual(await agreement(), []);
});

test.serial('Redis that has lost an attachment of a reserved volume, or one of several, has it again', async (t) => {
  await node.stop();
  node = await cluster.node('n1', { report_interval: '1', node_down_time: '60' }, { driver, target });
  const { id: single } = await commands.create(newVolume, deadline);
  const { id: reserved } = await attachments.reserve(single, { instanceId: 'c' });
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  await commands.attach(id, at('a', hostA), deadline);
  const restore = await cluster.server.keepCopy();
  await until(() => attachments.update(reserved, { hosts: [hostA] }, deadline), 'Redis is back');
  await commands.attach(id, at('b', hostB), deadline);
  await restore();
  const hostsOf = async (one: string) => (await volumesOf(store).lookup(one)).attachHosts.length;
  const areKnown = async () => (await hostsOf(id)) === 2 && (await hostsOf(single)) === 1;
  await until(() => areKnown().catch(() => false), 'both are known', 60_000);
  t.deepEqual((await instancesOf(store, id)).toSorted(), ['a', 'unknown']);
  t.deepEqual(target.exports.get(id)?.hosts, [hostA, hostB]);
  t.deepEqual(target.exports.get(single)?.hosts, [hostA]);
  t.deepEqual(await agreement(), []);
});

/** Starts the node again; a reservation is deleted after it has read the records of its volumes, and before it carries out their tasks. */
async function startWhileDeleted(reserved: string): Promise<void> {
  const list = driver.snapshots.listSnapshots.bind(driver.snapshots);
  driver.snapshots.listSnapshots = async () => {
    driver.snapshots.listSnapshots = list;
    await attachments.delete(reserved);
    return list();
  };
  node = await cluster.node('n1', rarely, { driver, target });
}

test.serial('a detached host is closed out where a reservation is deleted as the detach begins', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  const { use } = await commands.attach(id, at('a', hostA), deadline);
  const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
  await node.stop();
  await commands.detach(id, { attachment: use.id });
  await startWhileDeleted(reserved);
  await until(async () => (await node.getVolume(id)).task === undefined, 'it is detached');
  t.false(target.exports.has(id));
  t.like(await node.getVolume(id), { status: 'available', attachStatus: 'detached', attachments: [] });
  t.deepEqual(await agreement(), []);
});

test.serial('the host of a failed attach is closed out where a reservation is deleted as it begins', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
  await node.stop();
  await commands.attach(id, at('a', hostA));
  const ensure = target.ensureExport.bind(target);
  target.ensureExport = async (spec) => {
    await ensure(spec);
    if (spec.hosts.includes(hostA)) throw errors.exportFailed(id, 'it hangs');
  };
  await startWhileDeleted(reserved);
  await until(async () => (await node.getVolume(id)).task === undefined, 'the attach has failed');
  t.false(target.exports.has(id));
  t.like(await node.getVolume(id), { status: 'error_attaching', attachStatus: 'detached', attachments: [] });
  t.deepEqual(await agreement(), []);
});

test.serial('a request is planned anew where a reservation is deleted after it has read the volume', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
  const before = await volumesOf(store).lookup(id);
  await attachments.delete(reserved);
  const plan = (volume: VolumeState) => attachPlan(store, volume, { id: randomUUID(), attachment: at('a', hostA) });
  const request = { transition: 'startAttach', kind: 'attach', plan, topic: 'volume', whenLost: 'refuse' } as const;
  await startTask(store, request, before);
  await until(async () => (await instancesOf(store, id)).includes('a') && !(await node.getVolume(id)).task, 'attached');
  t.deepEqual(target.exports.get(id)?.hosts, [hostA]);
  t.deepEqual(await agreement(), []);
});

/** A volume that a has on its host, and b on whichever, of which Redis has lost the attachment of b. */
async function withOpenLost(): Promise<string> {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  const { use: a } = await commands.attach(id, at('a', hostA), deadline);
  const { use: b } = await commands.attach(id, { instanceId: 'b', mountpoint: '/dev/vdb' }, deadline);
  await loseAttachment(id, b.id);
  await store.redis.hset(store.keys.volume(id), { attachments: a.id, attachHosts: hostA });
  return id;
}

test.serial('an attachment without hosts that Redis has lost, beside one with hosts, keeps its host', async (t) => {
  const [first, second] = [await withOpenLost(), await withOpenLost()];
  const areKnown = async (id: string) => {
    t.deepEqual(target.exports.get(id)?.hosts, []);
    t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachHosts: [] });
    t.deepEqual(await instancesOf(store, id), ['a', 'unknown']);
  };
  t.deepEqual(await audit(), Array<string>(2).fill(`is exported to all hosts, and is attached to ${hostA} alone`));
  await areKnown(first);
  await areKnown(second);
  t.deepEqual(await audit(false), []);
  const third = await withOpenLost();
  await node.stop();
  node = await cluster.node('n1', rarely, { driver, target });
  await areKnown(third);
  t.deepEqual(await agreement(), []);
  t.like(await commands.detach(third, { ...deadline, instance: 'unknown' }), { attachHosts: [hostA] });
  t.deepEqual(target.exports.get(third)?.hosts, [hostA]);
});

test.serial('the record of an attachment without hosts that Redis has lost is made again without hosts', async (t) => {
  const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  await commands.attach(id, at('a', hostA), deadline);
  const { use: b } = await commands.attach(id, { instanceId: 'b', mountpoint: '/dev/vdb' }, deadline);
  await loseAttachment(id, b.id);
  t.deepEqual(await audit(), [`has an attachment ${b.id} without a record`]);
  t.deepEqual(await instancesOf(store, id), ['a', 'unknown']);
  t.deepEqual(await audit(), []);
  t.deepEqual(target.exports.get(id)?.hosts, []);
  t.deepEqual(await agreement(), []);
});

test.serial('where unattached volumes are exported, an export for all hosts shows no attachment', async (t) => {
  await node.stop();
  node = await cluster.node('n1', { ...rarely, export_unattached: 'true' }, { driver, target });
  const id = await withOpenLost();
  t.deepEqual(await audit(), ['is exported with other rights than its record has']);
  t.deepEqual(target.exports.get(id)?.hosts, [hostA]);
  t.deepEqual(await instancesOf(store, id), ['a']);
});
