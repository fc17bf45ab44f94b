import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import { z } from 'zod';
import { AttachmentCommands } from '../../../lib/client/attachment-commands.ts';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { ApiClient } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** The actions that give a volume other data in place of its own. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const owner = { userId: 'u', projectId: 'p1' };

let cluster: Cluster;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
let member: ApiClient;
let commands: ClusterCommands;
let images: ImageDirectory;
test.before(async () => {
  cluster = await Cluster.start();
  const flags = { image_directory: join(cluster.directory, 'images') };
  images = new ImageDirectory(flags.image_directory);
  const directory = join(cluster.directory, 'files');
  await mkdir(directory);
  await cluster.node(
    'n1',
    { ...flags, report_interval: '600', node_down_time: '3600', state_dir: join(cluster.directory, 'state') },
    { driver: new FileDriver({ directory }) },
  );
  roles = await startApiWithRoles(cluster, flags);
  member = roles.as('p1', 'member').version(70);
  const store = await cluster.store();
  commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
});
test.after.always(async () => {
  await roles?.close();
  await cluster?.close();
});

const oneSchema = z.object({ volume: z.looseObject({ status: z.string() }) });
const listSchema = z.object({ volumes: z.array(z.object({ id: z.string() })) });
const errorSchema = z.record(z.string(), z.object({ message: z.string() }));
const fileOf = (id: string) => join(cluster.directory, 'files', `volume-${id}`);

async function volume(more: object = {}): Promise<string> {
  return (await commands.commands.create({ size: 0, ...owner, ...more }, deadline)).id;
}

async function snapshotOf(id: string, projectId = 'p1'): Promise<string> {
  return (await commands.snapshots.create(id, { ...owner, projectId }, deadline)).id;
}

async function write(id: string): Promise<void> {
  await writeFile(fileOf(id), randomBytes(MiB), { flag: 'r+' });
}

async function show(id: string) {
  return oneSchema.parse((await member.get(`/v3/volumes/${id}`)).body).volume;
}

/** Returns the status of an answer, with the message of an error. */
async function sent(id: string, body: unknown, from = member): Promise<string> {
  const { status, body: answer } = await from.post(`/v3/volumes/${id}/action`, body);
  return status < 300 ? String(status) : `${status}: ${Object.values(errorSchema.parse(answer))[0]?.message ?? ''}`;
}

async function becomes(id: string, status: string): Promise<void> {
  await until(async () => (await show(id)).status === status, `the volume is ${status}`);
}

async function imageOf(data: Buffer, more: object = {}): Promise<string> {
  const { id } = await images.create({ name: randomUUID(), diskFormat: 'raw', ...more });
  await images.upload(id, Readable.from([data]));
  return id;
}

test.serial('a volume goes back to its latest snapshot, from 3.40 on', async (t) => {
  const id = await volume();
  const older = await snapshotOf(id);
  await write(id);
  const snapshot = await snapshotOf(id);
  const before = await readFile(fileOf(id));
  await write(id);
  const revert = (of: string, from = member) => sent(id, { revert: { snapshot_id: of } }, from);
  t.regex(await revert(snapshot, member.version(39)), /^400: revert is none of/);
  t.regex(await revert(snapshot, roles.as('p1', 'reader').version(70)), /^403/);
  t.regex(await revert(snapshot, roles.as('p2', 'member').version(70)), /^404/);
  t.regex(await revert(randomUUID()), /^404/);
  t.regex(await revert(await snapshotOf(await volume({ projectId: 'p2' }), 'p2')), /^404: snapshot/);
  t.regex(await revert(older), /^400: .* can only go back to its latest snapshot/);
  await commands.commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  t.regex(await revert(snapshot), /^409: .* is attached to i-1/);
  await commands.commands.detach(id, deadline);
  t.is(await revert(snapshot, member.version(40)), '202');
  await becomes(id, 'available');
  t.true((await readFile(fileOf(id))).equals(before));
  await commands.commands.extend(id, 1, deadline);
  t.regex(await revert(snapshot), /^400: .* has 1 GiB, and had 100 MiB when snapshot/);
  const refused = await sent(await volume(), { revert: { snapshot_id: snapshot } });
  t.regex(refused, /^400: .* has no snapshots: .*; make a volume of this one: /);
});

test.serial('a volume gets the data of an image, from 3.68 on, a reserved one where the request says so', async (t) => {
  const data = randomBytes(MiB);
  const [id, image] = [await volume({ fromImage: await imageOf(Buffer.alloc(MiB)) }), await imageOf(data)];
  const reimage = (body: object = {}, from = member) => sent(id, { 'os-reimage': { image_id: image, ...body } }, from);
  t.regex(await reimage({}, member.version(67)), /^400: os-reimage is none of/);
  t.regex(await reimage({}, roles.as('p1', 'reader').version(70)), /^403/);
  t.regex(await reimage({}, roles.as('p2', 'member').version(70)), /^404/);
  t.regex(await reimage({ image_id: randomUUID() }), /^404: image/);
  t.regex(await reimage({ image_id: 'x' }), /^400: os-reimage\.image_id|^400: image_id/);
  t.regex(
    await reimage({ image_id: await imageOf(data, { diskFormat: 'iso' }) }),
    /^400: image .* is refused|^400: .*iso/,
  );
  await commands.commands.update(id, { imageMetadata: { os_type: 'linux' } }, deadline);
  t.is(await reimage({ reimage_reserved: null }), '202');
  await becomes(id, 'available'); // not asked of the file: a volume that somebody has open is not restored
  t.true((await readFile(fileOf(id))).subarray(0, MiB).equals(data));
  t.like(await show(id), { bootable: 'true', volume_image_metadata: { image_id: image } });

  const { store } = commands;
  const attachments = new AttachmentCommands(store, commands.commands);
  await attachments.reserve(id, { instanceId: 'i-1' });
  await write(id);
  t.regex(await reimage(), /^409: .* is reserved for i-1/);
  t.regex(await reimage({ reimage_reserved: 'False' }), /^409/);
  t.is(await reimage({ reimage_reserved: true }), '202');
  await becomes(id, 'reserved');
  t.true((await readFile(fileOf(id))).subarray(0, MiB).equals(data));
});

test.serial('the status says what a volume is getting, and that it has it by half', async (t) => {
  const { store } = commands;
  const id = await volume();
  const set = (fields: Record<string, string>) => commit(store, { edits: [{ kind: 'volume', id, set: fields }] });
  const other = randomUUID();
  for (const [restoreFrom, meanwhile, failed] of [
    [`snapshot:${other}`, 'reverting', 'error'],
    [`image:${other}`, 'downloading', 'error'],
    [other, 'restoring-backup', 'error_restoring'],
  ] as const) {
    for (const [status, shown] of [
      ['restoring', meanwhile],
      ['error_restoring', failed],
    ] as const) {
      await set({ status, restoreFrom });
      t.is((await show(id)).status, shown);
      const listed = listSchema.parse((await member.get(`/v3/volumes?status=${shown}`)).body).volumes;
      t.deepEqual(
        listed,
        listed.filter((one) => one.id === id),
      );
      t.is(listed.length, 1, shown);
    }
  }
});
