import { randomUUID } from 'node:crypto';
import test from 'ava';
import type { Reservation } from '../../../lib/client/attachment-commands.ts';
import { clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { refusal } from '../../../lib/client/start-task.ts';
import { errors } from '../../../lib/errors.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import {
  type AttachmentPlace,
  at,
  attachmentPlace,
  deadline,
  hostA,
  hostB,
  newVolume,
} from '../../support/attachment-place.ts';
import { ReadInBetween, instancesOf } from '../../support/attachments.ts';

/** Attachments in steps: a volume is kept for an instance before its host has it. */

let cluster: AttachmentPlace['cluster'];
let store: AttachmentPlace['store'];
let driver: AttachmentPlace['driver'];
let target: AttachmentPlace['target'];
let commands: AttachmentPlace['commands'];
let attachments: AttachmentPlace['attachments'];
let agreement: AttachmentPlace['agreement'];
let audit: AttachmentPlace['audit'];
let shared: AttachmentPlace['shared'];

test.beforeEach(async () => {
  ({ cluster, store, driver, target, commands, attachments, agreement, audit, shared } = await attachmentPlace());
});
test.afterEach.always(() => cluster.close());

test.serial(
  'a reserved volume is kept for its instance, until the host has it or the attachment is deleted',
  async (t) => {
    const { id } = await commands.create(newVolume, deadline);
    const { id: reserved } = await attachments.reserve(id, { instanceId: 'i-1' });
    t.like(await volumesOf(store).lookup(id), { status: 'reserved', attachStatus: 'detached' });
    t.false(target.exports.has(id));
    t.deepEqual(await agreement(), []);
    const refused = { code: 'VolumeReserved', message: /reserved for i-1$/ };
    await t.throwsAsync(commands.attach(id, at('i-2', hostB), deadline), refused);
    await t.throwsAsync(commands.delete(id, deadline), refused);
    await t.throwsAsync(commands.detach(id, deadline), refused);
    await t.throwsAsync(attachments.reserve(id, { instanceId: 'i-2' }), refused);
    await t.throwsAsync(attachments.complete(reserved), { code: 'WrongStatus' });

    const { use, status } = await attachments.update(reserved, { hosts: [hostA], mountpoint: '/dev/vdc' }, deadline);
    t.like(use, { id: reserved, status: 'connecting', instanceId: 'i-1', mountpoint: '/dev/vdc' });
    t.is(status, 'in-use');
    t.deepEqual(target.exports.get(id)?.hosts, [hostA]);
    t.deepEqual(await agreement(), []);
    await t.throwsAsync(attachments.update(reserved, { hosts: [hostB] }, deadline), { code: 'WrongStatus' });
    t.is((await attachments.complete(reserved)).status, 'attached');
    t.is((await attachments.complete(reserved)).status, 'attached', 'it is said twice');
    await attachments.delete(reserved, deadline);
    t.false(target.exports.has(id));
    await t.throwsAsync(attachments.delete(reserved, deadline), { code: 'AttachmentNotFound' });

    const again = await attachments.reserve(id, { instanceId: 'i-2', mode: 'ro' });
    await attachments.delete(again.id);
    t.like(await volumesOf(store).lookup(id), { status: 'available', attachments: [] });
    await commands.delete(id, deadline);
    t.deepEqual(await agreement(), []);
  },
);

test.serial('an attachment of a volume of several is reserved beside the others, and ends without them', async (t) => {
  const { id, a, b } = await shared();
  const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached' });
  await commands.detach(id, { ...deadline, attachment: a });
  t.like(await commands.detach(id, { ...deadline, attachment: b }), { status: 'reserved', attachStatus: 'detached' });
  t.false(target.exports.has(id));
  t.deepEqual(await agreement(), []);
  await attachments.update(reserved, { hosts: [hostA] }, deadline);
  t.deepEqual(target.exports.get(id)?.hosts, [hostA]);
  t.deepEqual(await agreement(), []);
});

test.serial('a reservation that is deleted beside the end of another attachment does not come back', async (t) => {
  const { id, a, b } = await shared();
  const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
  await commands.detach(id, { ...deadline, attachment: b });
  const remove = target.removeExport.bind(target);
  target.removeExport = async (one) => {
    await attachments.delete(reserved);
    await remove(one);
  };
  t.like(await commands.detach(id, { ...deadline, attachment: a }), { status: 'available', attachments: [] });
  t.deepEqual(await agreement(), []);
});

test.serial('a reservation ends also while a snapshot of its volume is taken', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  const { id: reserved } = await attachments.reserve(id, { instanceId: 'c' });
  const create = driver.snapshots.createSnapshot.bind(driver.snapshots);
  driver.snapshots.createSnapshot = async (...args: Parameters<typeof create>) => {
    await t.throwsAsync(attachments.update(reserved, { hosts: [hostA] }, { ...deadline, turnMs: 0 }), {
      code: 'WrongStatus',
      message: /with its snapshot under way/,
    });
    await attachments.delete(reserved);
    return create(...args);
  };
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  await snapshots.create(id, { userId: 'user', projectId: 'project' }, deadline);
  t.like(await volumesOf(store).lookup(id), { status: 'available', attachments: [] });
  t.deepEqual(await agreement(), []);
});

test.serial('a host is admitted with the mode that its update asks for', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  const reserved = await attachments.reserve(id, { instanceId: 'c', mode: 'ro', hostName: 'h1' });
  const { use } = await attachments.update(reserved.id, { hosts: [hostA], mode: 'rw' }, deadline);
  t.like(use, { mode: 'rw', hostName: 'h1' });
  t.false(target.exports.get(id)?.readOnly);
  t.deepEqual(await audit(), []);
});

test.serial('a request to reserve that is repeated with the same id has one effect', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  const request = { id: randomUUID(), instanceId: 'c' };
  const both = await Promise.all([attachments.reserve(id, request), attachments.reserve(id, request)]);
  t.deepEqual(new Set(both.map((one) => one.id)), new Set([request.id]));
  t.deepEqual(await agreement(), []);
  await attachments.update(request.id, { hosts: [hostA], mountpoint: '/dev/vdc', hostName: 'h1' }, deadline);
  t.like(await attachments.reserve(id, request), { id: request.id, status: 'connecting', mountpoint: '/dev/vdc' });
});

test.serial(
  'a request to reserve with the id of another attachment is refused, and names the difference',
  async (t) => {
    const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
    const { id: other } = await commands.create(newVolume, deadline);
    const request = { id: randomUUID(), instanceId: 'c', mountpoint: '/dev/vdb', hostName: 'h1', mode: 'ro' } as const;
    await attachments.reserve(id, request);
    const refused = async (volume: string, change: Partial<Reservation>, message: RegExp) => {
      const asked = attachments.reserve(volume, { ...request, ...change });
      await t.throwsAsync(asked, { code: 'AttachmentExists', message });
    };
    await refused(other, {}, new RegExp(`attachment ${request.id} exists, and its volume is "${id}", not "${other}"$`));
    await refused(id, { instanceId: 'd' }, /its instance is "c", not "d"$/);
    await refused(id, { mountpoint: '/dev/vdc' }, /its mount point is "\/dev\/vdb", not "\/dev\/vdc"$/);
    await refused(id, { mountpoint: '' }, /its mount point is "\/dev\/vdb", not ""$/);
    await refused(id, { hostName: 'h2' }, /its host is "h1", not "h2"$/);
    await refused(id, { mode: 'rw' }, /its mode is "ro", not "rw"$/);
    await t.throwsAsync(attachments.reserve(id, { ...request, id: 'c' }), { code: 'InvalidArgument' });
    t.deepEqual(await instancesOf(store, id), ['c']);
    t.like(await volumesOf(store).lookup(other), { status: 'available', attachments: [] });

    await attachments.update(request.id, { hosts: [hostA] }, deadline);
    const remove = target.removeExport.bind(target);
    target.removeExport = async (one) => {
      await refused(id, {}, /it is being deleted$/);
      await remove(one);
    };
    await attachments.delete(request.id, deadline);
    t.is((await attachments.reserve(other, request)).volume, other, 'its id is free again');
    t.deepEqual(await agreement(), []);
  },
);

test.serial(
  'a volume is kept for a host that is admitted with the same change, however often that is asked for',
  async (t) => {
    const { id } = await commands.create(newVolume, deadline);
    const { id: other } = await commands.create(newVolume, deadline);
    const asked = { reservation: { id: randomUUID(), instanceId: 'i-1' }, host: { hosts: [hostA], hostName: 'h1' } };
    const volume = await volumesOf(store).lookup(id);
    const ask = async (more: Partial<Reservation> = {}, of = volume) =>
      (await attachments.reserveFor(of, { ...asked, reservation: { ...asked.reservation, ...more } }, deadline)).use;
    for (const use of await Promise.all([ask(), ask(), ask()])) {
      t.like(use, { id: asked.reservation.id, status: 'connecting', instanceId: 'i-1', hostName: 'h1' });
    }
    t.is((await ask()).status, 'connecting', 'as the volume was read before');
    t.is((await ask({}, await volumesOf(store).lookup(id))).status, 'connecting', 'as it is');
    await attachments.complete(asked.reservation.id);
    t.is((await ask()).status, 'attached');
    t.deepEqual(await instancesOf(store, id), ['i-1']);
    await t.throwsAsync(ask({ instanceId: 'i-2' }), { code: 'AttachmentExists', message: /its instance is "i-1"/ });
    const elsewhere = { code: 'AttachmentExists', message: new RegExp(`its volume is "${id}", not "${other}"$`) };
    await t.throwsAsync(ask({}, await volumesOf(store).lookup(other)), elsewhere);
    t.like(await volumesOf(store).lookup(other), { status: 'available', attachments: [] });
    t.like(await attachments.delete(asked.reservation.id, deadline), { status: 'available', attachments: [] });
    t.deepEqual(await agreement(), []);
  },
);

test.serial('of requests that keep a volume for the same host with ids of their own one has it', async (t) => {
  const volume = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
  const asked = { reservation: { instanceId: 'i-1' }, host: { hosts: [hostA] } };
  const both = await Promise.allSettled([1, 2].map(() => attachments.reserveFor(volume, asked, deadline)));
  t.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  t.deepEqual(await instancesOf(store, volume.id), ['i-1']);
  t.deepEqual(await agreement(), []);
});

test.serial('a volume is not kept for a host that could not be admitted', async (t) => {
  const volume = await commands.create(newVolume, deadline);
  target.ensureExport = async () => {
    throw errors.invalidArgument('export', volume.id, 'possible');
  };
  const asked = { reservation: { instanceId: 'i-1' }, host: { hosts: [hostA] } };
  await t.throwsAsync(attachments.reserveFor(volume, asked, deadline), { code: 'InvalidArgument' });
  t.like(await volumesOf(store).lookup(volume.id), { status: 'error_attaching', attachments: [] });
});

test.serial('a snapshot of a reserved volume is not deleted with a volume that stays', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  await attachments.reserve(id, { instanceId: 'c' });
  const error = await refusal(store, await volumesOf(store).lookup(id), 'startDelete');
  t.is(error.code, 'VolumeReserved');
});

test.serial('an attachment that another request ends first is not there, or is released already', async (t) => {
  const { id } = await commands.create(newVolume, deadline);
  for (const isReleased of [false, true]) {
    const { id: one } = await attachments.reserve(id, { instanceId: 'i-1' });
    const { use } = await attachments.update(one, { hosts: [hostA], mountpoint: '/dev/vdb' }, deadline);
    const own = new ReadInBetween(store.connection, cluster.flags().redis_prefix);
    own.meanwhile = () => attachments.delete(one, deadline);
    const late = clusterCommands(own, { client: new RequestClient(own), topic: 'volume' });
    if (isReleased) await t.notThrowsAsync(late.legacyAttach.release(use, deadline));
    else await t.throwsAsync(late.attachments.delete(one, deadline), { code: 'AttachmentNotFound' });
    t.like(await volumesOf(store).lookup(id), { status: 'available', attachments: [] });
  }
});
