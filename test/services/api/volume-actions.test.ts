import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import { z } from 'zod';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { createType } from '../../../lib/client/types.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import type { ApiAnswer, ApiClient } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 120_000 };

let cluster: Cluster;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
let admin: ApiClient;
let member: ApiClient;
let commands: ClusterCommands;
let driver: FaultyDriver;
let images: ImageDirectory;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  const imageDirectory = join(cluster.directory, 'images');
  images = new ImageDirectory(imageDirectory);
  const directories = ['files', 'more'].map((name) => join(cluster.directory, name));
  for (const directory of directories) await mkdir(directory);
  const [first, second] = directories.map((directory) => new FileDriver({ directory }));
  if (!first || !second) throw new Error('a driver is missing');
  driver = new FaultyDriver(first);
  const flags = { image_directory: imageDirectory, num_shell_tries: '1' };
  await cluster.node('n1', { ...flags, report_interval: '600', node_down_time: '3600' }, [
    { name: 'files', driver },
    { name: 'more', driver: second },
  ]);
  roles = await startApiWithRoles(cluster, flags);
  [admin, member] = [roles.as('p1', 'admin').version(70), roles.as('p1', 'member').version(70)];
  const store = await cluster.store();
  commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
});
test.afterEach.always(async () => {
  await roles.close();
  await cluster.close();
});

const viewSchema = z.looseObject({ id: z.string(), status: z.string(), size: z.int() });
const oneSchema = z.object({ volume: viewSchema });
const errorSchema = z.record(z.string(), z.object({ message: z.string() }));
const uploadSchema = z.object({
  'os-volume_upload_image': z.looseObject({ image_id: z.string(), status: z.string() }),
});

/** The second backend, with its pool. */
function there(): string {
  return `n1@more#${join(cluster.directory, 'more')}`;
}

/** Returns the id of a new volume on the first backend. */
async function volume(more: object = {}): Promise<string> {
  const request = { size: 0, userId: 'u', projectId: 'p1', name: 'data', node: 'n1@files', ...more };
  return (await commands.commands.create(request, deadline)).id;
}

function attach(id: string) {
  return commands.commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
}

async function show(id: string, from = admin) {
  return oneSchema.parse((await from.get(`/v3/volumes/${id}`)).body).volume;
}

function act(id: string, body: unknown, from = admin): Promise<ApiAnswer> {
  return from.post(`/v3/volumes/${id}/action`, body);
}

/** Returns the status of an answer, with the message of an error. */
async function sent(id: string, body: unknown, from = admin): Promise<string> {
  const { status, body: answer } = await act(id, body, from);
  return status < 300 ? String(status) : `${status}: ${Object.values(errorSchema.parse(answer))[0]?.message ?? ''}`;
}

async function becomes(id: string, status: string): Promise<void> {
  await until(async () => (await show(id)).status === status, `the volume is ${status}`);
}

async function isGone(id: string): Promise<void> {
  await until(async () => (await admin.get(`/v3/volumes/${id}`)).status === 404, 'the volume is gone');
}

test.serial('a volume is extended, from 3.42 on also while it is attached', async (t) => {
  const id = await volume();
  const extend = (size: unknown, version: number) =>
    sent(id, { 'os-extend': { new_size: size } }, member.version(version));
  t.is(await extend(1, 0), '202');
  await until(async () => (await show(id)).size === 1, 'extended');
  await becomes(id, 'available');
  await attach(id);
  t.regex(await extend(2, 41), /^409: volume .* is attached to i-1; ask for version 3\.42 of the API/);
  t.is(await extend('2', 42), '202');
  await until(async () => (await show(id)).size === 2, 'extended');
  await becomes(id, 'in-use');
  t.regex(await extend(1, 42), /^400: .* has 2 GiB; it cannot be extended to 1/);
  t.regex(await extend(0, 42), /^400: new_size: /);
  t.regex(await extend(5000, 42), /^400: size 5000 is not/);
  t.is(
    await sent(id, { 'os-extend': { new_size: 2 } }, member.with({ 'OpenStack-API-Version': 'volume latest' })),
    '202',
  );
  t.is((await member.version(999).get('/v3/volumes')).status, 406);
});

test.serial('a volume gets another type, and moves where its backend does not meet it', async (t) => {
  const { store } = commands;
  const here = await createType(store, { name: 'here', requirements: { backend: 'files' } });
  await createType(store, { name: 'there', requirements: { backend: 'more' } });
  await createType(store, { name: 'nowhere', requirements: { backend: 'none-such' } });
  await createType(store, { name: 'private', requirements: {}, isPublic: false });
  const id = await volume();
  const retype = (type: string, policy?: unknown) =>
    sent(
      id,
      { 'os-retype': { new_type: type, ...(policy === undefined ? {} : { migration_policy: policy }) } },
      member,
    );
  t.is(await retype('here', null), '202');
  t.like(await show(id), { volume_type: 'here', volume_type_id: here.id });
  t.regex(await retype('there', 'never'), /^409: the backend of volume .* does not meet type there/);
  t.is(await retype('there', 'on-demand'), '202');
  await until(async () => (await show(id))['volume_type'] === 'there', 'it has the type');
  await becomes(id, 'available');
  t.is((await show(id))['os-vol-host-attr:host'], there());
  t.regex(await retype('private'), /^404: volume type private does not exist/);
  t.regex(await retype('there', 'soon'), /^400: migration_policy: must be never or on-demand/);
});

test.serial('a volume is multiattach as long as it has a type that is', async (t) => {
  const { store } = commands;
  for (const [name, requirements] of [
    ['one', { backend: 'files' }],
    ['many', { backend: 'files', multiattach: 'yes' }],
    ['many-there', { backend: 'more', multiattach: 'yes' }],
    ['one-there', { backend: 'more' }],
  ] as const) {
    await createType(store, { name, requirements });
  }
  const id = await volume();
  const retype = async (type: string) => {
    const body = { 'os-retype': { new_type: type, migration_policy: 'on-demand' } };
    const answer = await sent(id, body, member);
    if (answer !== '202') return answer;
    await until(async () => (await show(id))['volume_type'] === type, `its type is ${type}`);
    await until(async () => ['available', 'in-use'].includes((await show(id)).status), 'nothing is under way');
    return (await show(id))['multiattach'];
  };
  for (const [type, isMultiattach] of [
    ['one', false],
    ['many', true],
    ['one', false],
    ['many-there', true],
    ['one-there', false],
  ] as const) {
    t.is(await retype(type), isMultiattach, type);
  }
  await attach(id);
  t.regex(String(await retype('many-there')), /^409: .* is attached to i-1/);
  await commands.commands.detach(id, deadline);
  await commands.commands.update(id, { isMultiattach: true });
  await createType(store, { name: 'any', requirements: {} });
  t.is(await retype('any'), true, 'by itself, not by its type');
  const other = await volume({ isMultiattach: true });
  t.is(await sent(other, { 'os-retype': { new_type: 'one-there', migration_policy: 'on-demand' } }), '202');
  await until(async () => (await show(other))['volume_type'] === 'one-there', 'it has moved');
  t.true((await show(other))['multiattach']);
});

test.serial('administrators migrate volumes', async (t) => {
  const id = await volume();
  const migrate = (body: object, from = admin) => sent(id, { 'os-migrate_volume': body }, from);
  const flags = { force_host_copy: false, lock_volume: 'False', cluster: null };
  t.regex(await migrate({ host: 'n1@more' }, member), /^403/);
  t.regex(await migrate({ host: 'n9@files' }), /^400: os-migrate_volume\.host: node n9 does not exist/);
  t.regex(await migrate({ host: 'n1@tapes#x' }), /^400: os-migrate_volume\.host: n1@tapes#x does not exist/);
  t.regex(await migrate({ cluster: 'c' }), /^400: nodes form no clusters/);
  t.regex(await migrate({}), /^400: os-migrate_volume\.host: must be given/);
  await cluster.node('n2', { report_interval: '600', node_down_time: '3600' });
  for (const host of ['n2', 'n2@fake', 'n2@fake#fake']) {
    t.regex(
      await migrate({ host }),
      /^400: no backend is what the volume requires: n2@fake: its migration is no/,
      host,
    );
  }
  t.is(await migrate({ ...flags, host: there() }), '202');
  await until(async () => (await show(id))['os-vol-host-attr:host'] === there(), 'it is there');
  await becomes(id, 'available');
});

test.serial('a volume is bootable, and read-only, when its users say so', async (t) => {
  const id = await volume();
  t.is(await sent(id, { 'os-set_bootable': { bootable: 'True' } }, member), '200');
  t.is((await show(id))['bootable'], 'true');
  t.is(await sent(id, { 'os-set_bootable': { bootable: false } }, member), '200');
  t.is((await show(id))['bootable'], 'false');
  t.is(await sent(id, { 'os-update_readonly_flag': { readonly: true } }, member), '202');
  t.deepEqual((await show(id))['metadata'], { readonly: 'True' });
  t.is(await sent(id, { 'os-update_readonly_flag': { readonly: false } }, member), '202');
  await attach(id);
  t.regex(await sent(id, { 'os-update_readonly_flag': { readonly: true } }, member), /^409: .* is attached to i-1/);
  t.regex(await sent(id, { 'os-set_bootable': {} }, member), /^400: bootable: /);
});

test.serial('a failed operation that left the volume as it was is dismissed; other statuses are not set', async (t) => {
  const id = await volume();
  const reset = (body: object, from = admin) => sent(id, { 'os-reset_status': body }, from);
  t.regex(await reset({ status: 'available' }, member), /^403/);
  t.is(await reset({ status: 'available', attach_status: 'detached', migration_status: 'none' }), '202');
  t.regex(await reset({ status: 'error' }), /^400: volume .* is available, which cannot be set to error/);
  t.regex(
    await reset({ status: 'available', attach_status: 'attached' }),
    /^400: .* is detached: that follows from its/,
  );
  t.regex(await reset({ migration_status: 'success' }), /^400: .* its migration status follows from that/);
  t.regex(await reset({}), /^400: .*must have status/);
  driver.failOnce('extendVolume', errors.commandMissing('truncate', 'coreutils'));
  t.is(await sent(id, { 'os-extend': { new_size: 1 } }), '202');
  await becomes(id, 'error_extending');
  t.regex(await reset({ status: 'in-use' }), /^400: .* is error_extending, which cannot be set to in-use; /);
  t.is(await reset({ status: 'available' }), '202');
  t.is((await show(id)).status, 'available');
  await attach(id);
  driver.failOnce('extendVolume', errors.commandMissing('truncate', 'coreutils'));
  t.is(await sent(id, { 'os-extend': { new_size: 1 } }), '202');
  await becomes(id, 'error_extending');
  t.is(await reset({ status: 'in-use' }), '202');
  t.is((await show(id)).status, 'in-use');
  const release = driver.holdOnce('extendVolume');
  t.is(await sent(id, { 'os-extend': { new_size: 2 } }), '202');
  t.regex(await reset({ status: 'in-use' }), /^400: .* is extending, .*its extend is under way: wait/);
  release();
  await becomes(id, 'in-use');
});

test.serial(
  'a volume that is offered or kept for a host is deleted with force, one that a host has is not',
  async (t) => {
    const [offered, reserved, attached] = [await volume(), await volume(), await volume()];
    await commands.transfers.create(offered, { withSnapshots: true, lengthMs: 3_600_000 });
    await commands.attachments.reserve(reserved, { instanceId: 'i-2' });
    await attach(attached);
    for (const id of [offered, reserved, attached]) t.is((await member.delete(`/v3/volumes/${id}`)).status, 409);
    t.is((await member.delete(`/v3/volumes/${reserved}?force=True`)).status, 403);
    t.is(await sent(offered, { 'os-force_delete': {} }), '202');
    t.is((await admin.delete(`/v3/volumes/${reserved}?cascade=False&force=True`)).status, 202);
    t.regex(await sent(attached, { 'os-force_delete': null }), /^409: .* is attached to i-1/);
    await isGone(offered);
    await isGone(reserved);
  },
);

test.serial('a volume goes with its snapshots when that is asked for', async (t) => {
  const id = await volume();
  await commands.snapshots.create(id, { userId: 'u', projectId: 'p1' }, deadline);
  t.is((await member.delete(`/v3/volumes/${id}`)).status, 409);
  t.is((await member.delete(`/v3/volumes/${id}?cascade=True`)).status, 202);
  await isGone(id);
});

test.serial('an image is made of a volume, with force of an attached one', async (t) => {
  const type = await createType(commands.store, { name: 'any', requirements: {} });
  const id = await volume({ type: type.id });
  const upload = async (body: object, from = member) => {
    const answer = await act(id, { 'os-volume_upload_image': body }, from);
    t.is(answer.status, 202, JSON.stringify(answer.body));
    return uploadSchema.parse(answer.body)['os-volume_upload_image'];
  };
  const given = { force: false, image_name: 'golden', container_format: 'bare', disk_format: 'qcow2' };
  const { image_id: image, ...rest } = await upload({ ...given, visibility: 'private', protected: false });
  t.like(rest, { id, status: 'uploading', image_name: 'golden', disk_format: 'qcow2', visibility: 'private' });
  t.deepEqual(rest['volume_type'], { id: type.id, name: 'any' });
  await until(async () => (await images.show(image)).status === 'active', 'the image has its data');
  await becomes(id, 'available');
  await attach(id);
  const { message } = Object.values(
    errorSchema.parse((await act(id, { 'os-volume_upload_image': given }, member)).body),
  )[0] ?? { message: '' };
  t.regex(message, /is attached to i-1: an image of it would have/);
  const forced = await upload({ force: 'True', image_name: 'live' }, member.version(0));
  t.false('visibility' in forced);
  await until(async () => (await images.show(forced.image_id)).status === 'active', 'the next one has its data');
  // A job whose volume is busy would wait for the next report.
  const { store } = commands;
  const snapshots = store.keys.volumeSnapshots(id);
  await until(async () => (await snapshotsOf(store).count(snapshots)) === 0, 'its snapshot is deleted');
  const again = member.with({ 'Idempotency-Key': 'k1' });
  const [one, other] = [
    await upload({ force: true, image_name: 'once' }, again),
    await upload({ force: true, image_name: 'once' }, again),
  ];
  t.is(one.image_id, other.image_id);
  for (const [body, reason] of [
    [{ image_name: 'a', container_format: 'ova' }, /in no container/],
    [{ image_name: 'a', disk_format: 'ploop' }, /disk_format: must be one of raw, qcow2/],
    [{ image_name: 'a', visibility: 'public' }, /are private/],
    [{ image_name: 'a', protected: true }, /not protected/],
    [{}, /image_name: /],
  ] as const) {
    t.regex(await sent(id, { 'os-volume_upload_image': body }, member), reason);
  }
  await until(async () => (await images.show(one.image_id)).status === 'active', 'the last one has its data');
});

test.serial('notes about the image of a volume are set, shown and removed', async (t) => {
  const id = await volume();
  const of = { 'os-set_image_metadata': { metadata: { image_id: 'abc', hw_disk_bus: 'scsi' } } };
  t.deepEqual((await act(id, of, member)).body, { metadata: { image_id: 'abc', hw_disk_bus: 'scsi' } });
  t.deepEqual((await show(id))['volume_image_metadata'], { image_id: 'abc', hw_disk_bus: 'scsi' });
  t.deepEqual((await show(id))['metadata'], {});
  t.is(await sent(id, { 'os-unset_image_metadata': { key: 'image_id' } }, member), '200');
  t.regex(
    await sent(id, { 'os-unset_image_metadata': { key: 'image_id' } }, member),
    /^404: .* has no metadata image_id/,
  );
  t.deepEqual((await act(id, { 'os-show_image_metadata': {} }, member)).body, { metadata: { hw_disk_bus: 'scsi' } });
  const { id: image } = await images.create({ name: 'base', diskFormat: 'raw' });
  await images.upload(image, Readable.from([Buffer.alloc(2 ** 20)]));
  const made = await volume({ fromImage: image });
  t.deepEqual((await show(made))['volume_image_metadata'], { image_id: image });
  const other = { 'os-set_image_metadata': { metadata: { image_id: id } } };
  t.regex(await sent(made, other, member), /^400: .* was made from image .*: its image_id stays/);
  t.regex(await sent(made, { 'os-unset_image_metadata': { key: 'image_id' } }, member), /^400/);
});

test.serial('an action that does not exist is refused', async (t) => {
  t.regex(await sent(await volume(), { 'os-dance': {} }, member), /^400: os-dance is none of/);
});
