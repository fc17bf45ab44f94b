import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { z } from 'zod';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
let driver: FileDriver;
let directory: BackupDirectory;
let commands: VolumeCommands;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  directory = new BackupDirectory(join(cluster.directory, 'backups'));
  await mkdir(join(cluster.directory, 'pool'));
  driver = new FileDriver({ directory: join(cluster.directory, 'pool') });
  const flags = { backup_directory: directory.place };
  await cluster.node('n1', { ...flags, num_shell_tries: '1', report_interval: '1' }, { name: 'files', driver });
  ({ api, client } = await startApi(cluster, flags));
  roles = await startApiWithRoles(cluster, flags);
  commands = await cluster.commands();
});
test.afterEach.always(async () => {
  await api.stop();
  await roles.close();
  await cluster.close();
});

const backups = '/v3/p1/backups';
const viewSchema = z.looseObject({
  id: z.string(),
  name: z.string().nullable(),
  status: z.string(),
  fail_reason: z.string().nullable(),
  is_incremental: z.boolean(),
  has_dependent_backups: z.boolean(),
});
const summarySchema = z.object({ backup: z.looseObject({ id: z.string(), name: z.string().nullable() }) });
const oneSchema = z.object({ backup: viewSchema });
const listSchema = z.object({
  backups: z.array(z.looseObject({ id: z.string(), name: z.string().nullable() })),
  backups_links: z.array(z.object({ href: z.string() })).default([]),
  count: z.int().optional(),
});
const restoreSchema = z.object({ restore: z.object({ backup_id: z.string(), volume_id: z.string() }) });
const errorSchema = z.record(z.string(), z.object({ message: z.string() }));

async function volume(projectId = 'p1'): Promise<string> {
  return (await commands.create({ size: 0, userId: 'u', projectId, name: 'data' }, deadline)).id;
}

async function write(id: string): Promise<Buffer> {
  const data = randomBytes(MiB);
  await using file = await open(pathOf(id), 'r+');
  await file.write(data, 0, data.length, 3 * MiB);
  return data;
}

async function read(id: string): Promise<Buffer> {
  await using file = await open(pathOf(id));
  const { buffer } = await file.read(Buffer.alloc(MiB), 0, MiB, 3 * MiB);
  return buffer;
}

function pathOf(id: string): string {
  return driver.localPath({ id, size: 0, sizeBytes: 100 * MiB, labels: {} });
}

async function begin(volumeId: string, more: object = {}, from = client, path = backups): Promise<string> {
  const answer = await from.post(path, { backup: { volume_id: volumeId, ...more } });
  if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
  return summarySchema.parse(answer.body).backup.id;
}

async function show(id: string, from = client) {
  return oneSchema.parse((await from.get(`${backups}/${id}`)).body).backup;
}

async function complete(id: string): Promise<string> {
  await until(async () => (await show(id)).status === 'available', 'the backup has its data');
  return id;
}

async function isAvailable(id: string): Promise<void> {
  const schema = z.object({ volume: z.looseObject({ status: z.string() }) });
  await until(
    async () => schema.parse((await client.get(`/v3/p1/volumes/${id}`)).body).volume.status === 'available',
    'the volume is available',
  );
}

async function names(path: string, from = client): Promise<(string | null)[]> {
  return listSchema.parse((await from.get(path)).body).backups.map(({ name }) => name);
}

function messageOf({ body }: ApiAnswer): string {
  return Object.values(errorSchema.parse(body))[0]?.message ?? '';
}

test.serial('a volume is backed up, what has changed as well, and both are restored', async (t) => {
  const id = await volume();
  const first = await write(id);
  const given = { name: 'monday', description: 'whole', metadata: { kind: 'weekly' }, container: null };
  const full = await complete(await begin(id, given));
  const second = await write(id);
  t.is((await client.post(backups, { backup: { volume_id: await volume(), incremental: true } })).status, 400);
  const next = await complete(await begin(id, { name: 'tuesday', incremental: true }));
  t.like(await show(full, client.version(70)), {
    name: 'monday',
    description: 'whole',
    metadata: { kind: 'weekly' },
    volume_id: id,
    is_incremental: false,
    has_dependent_backups: true,
    snapshot_id: null,
    user_id: 'admin',
    'os-backup-project-attr:project_id': 'p1',
  });
  t.like(await show(next), { is_incremental: true, has_dependent_backups: false });

  const restored = await client.post(`${backups}/${full}/restore`, { restore: { volume_id: null, name: 'again' } });
  t.is(restored.status, 202);
  const { volume_id: made } = restoreSchema.parse(restored.body).restore;
  await isAvailable(made);
  t.true((await read(made)).equals(first));
  const into = await client.post(`${backups}/${next}/restore`, { restore: { volume_id: made } });
  t.deepEqual(into.body, { restore: { backup_id: next, volume_id: made, volume_name: 'again' } });
  await isAvailable(made);
  t.true((await read(made)).equals(second));

  const needed = await client.delete(`${backups}/${full}`);
  t.is(needed.status, 409);
  t.regex(messageOf(needed), /has data of later ones/);
  t.is((await client.delete(`${backups}/${next}`)).status, 202);
  t.is((await client.get(`${backups}/${next}`)).status, 404);
  t.is((await client.post(`${backups}/${full}/action`, { 'os-force_delete': {} })).status, 202);
  t.deepEqual(await names(backups), []);
});

test.serial('of an attached volume a backup is made by force, which leaves no snapshot', async (t) => {
  const id = await volume();
  const data = await write(id);
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const refused = await client.post(backups, { backup: { volume_id: id, force: false } });
  t.is(refused.status, 409);
  t.regex(messageOf(refused), /is attached to i-1/);
  t.deepEqual(await names(backups), []);
  const backup = await begin(id, { force: true });
  t.is((await show(backup)).status, 'creating');
  t.is((await client.delete(`${backups}/${backup}`)).status, 409);
  await complete(backup);
  const store = await cluster.store();
  await until(async () => (await store.redis.zcard(store.keys.volumeSnapshots(id))) === 0, 'its snapshot is deleted');
  const restored = await client.post(`${backups}/${backup}/restore`, { restore: {} });
  const { volume_id: made } = restoreSchema.parse(restored.body).restore;
  await isAvailable(made);
  t.true((await read(made)).equals(data));
  const taken = await client.post(`${backups}/${backup}/restore`, { restore: { volume_id: id } });
  t.is(taken.status, 409);
});

test.serial('lists are those of the project, in pages, with filters', async (t) => {
  const [own, other] = [await volume(), await volume('p2')];
  for (const name of ['a', 'b', 'c']) await complete(await begin(own, { name }));
  const member = roles.as('p2', 'member');
  const foreign = await begin(other, { name: 'd' }, member, '/v3/p2/backups');
  await complete(foreign);
  t.deepEqual(await names(backups), ['c', 'b', 'a']);
  t.deepEqual(await names('/v3/p2/backups/detail', member), ['d']);
  t.deepEqual(await names(`${backups}?all_tenants=True&sort=name:asc`), ['a', 'b', 'c', 'd']);
  t.deepEqual(await names('/v3/p2/backups?all_tenants=True', member), ['d']);
  t.deepEqual(await names(`${backups}?name=b`), ['b']);
  t.deepEqual(await names(`${backups}?status=available&volume_id=${own}&name~=c`), ['c']);
  t.deepEqual(await names(`${backups}?status=error`), []);
  const page = listSchema.parse((await client.get(`${backups}/detail?limit=2&with_count=True`)).body);
  t.is(page.count, 3);
  const [link] = page.backups_links;
  const rest = listSchema.parse((await client.get(link?.href.slice(client.url.length) ?? '')).body);
  t.deepEqual(
    [...page.backups, ...rest.backups].map(({ name }) => name),
    ['c', 'b', 'a'],
  );
  t.deepEqual(rest.backups_links, []);
  t.is((await client.get(`${backups}?marker=${randomUUID()}`)).status, 404);

  const stranger = roles.as('p3', 'member');
  const path = `/v3/p3/backups/${foreign}`;
  for (const answer of [
    stranger.get(path),
    stranger.delete(path),
    stranger.version(9).put(path, { backup: { name: 'x' } }),
    stranger.post(`${path}/restore`, { restore: {} }),
    stranger.version(47).post('/v3/p3/volumes', { volume: { size: 1, backup_id: foreign } }),
    stranger.post('/v3/p3/backups', { backup: { volume_id: other } }),
  ]) {
    t.is((await answer).status, 404);
  }
  t.is((await member.post(`/v3/p2/backups/${foreign}/action`, { 'os-force_delete': {} })).status, 403);
  t.is((await roles.as('p2', 'reader').delete(`/v3/p2/backups/${foreign}`)).status, 403);
});

test.serial('a backup that gets no data says so, and can be deleted', async (t) => {
  const id = await volume();
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const { snapshots } = driver;
  snapshots.openSnapshot = () => Promise.reject(new Error('the disk is gone'));
  const failed = await begin(id, { force: true });
  await until(
    async () => /the disk is gone/.test((await show(failed)).fail_reason ?? ''),
    'it has failed, and says why',
  );
  t.is((await show(failed)).status, 'error');
  const seen = await roles.as('p1', 'member').get(`${backups}/${failed}`);
  t.notRegex(JSON.stringify(seen.body), /the disk is gone/);

  const interrupted = randomUUID();
  const owner = { userId: 'u', projectId: 'p1', volume: id, volumeName: '', size: 0, createTime: Date.now() };
  const none = { status: 'creating', parent: null, checksum: null, storedBytes: 0 } as const;
  await directory.create({ ...owner, ...none, id: interrupted, name: '' });
  t.like(await show(interrupted), { status: 'error', fail_reason: 'it was interrupted before it had data' });
  const reset = (status: string) => client.post(`${backups}/${interrupted}/action`, { 'os-reset_status': { status } });
  t.is((await reset('available')).status, 400);
  t.is((await reset('error')).status, 202);
  t.is((await directory.show(interrupted)).status, 'error');
  for (const one of [failed, interrupted]) t.is((await client.delete(`${backups}/${one}`)).status, 202);
  t.deepEqual(await directory.list(), []);
});

test.serial('a volume that is made of the backup of an encrypted one has its key', async (t) => {
  const owner = { size: 0, userId: 'u', projectId: 'p1' };
  const { id, encryptionKey } = await commands.create({ ...owner, isEncrypted: true }, deadline);
  const backup = await complete(await begin(id));
  t.is((await show(backup, client.version(64)))['encryption_key_id'], encryptionKey);
  const restored = await client.post(`${backups}/${backup}/restore`, { restore: {} });
  const { volume_id: made } = restoreSchema.parse(restored.body).restore;
  await isAvailable(made);
  const store = await cluster.store();
  t.like(await volumesOf(store).lookup(made), { encryptionKey, isFormatted: true });
  const plain = await volume();
  t.is((await client.post(`${backups}/${backup}/restore`, { restore: { volume_id: plain } })).status, 409);
  t.is((await client.post(`${backups}/${backup}/restore`, { restore: { volume_id: made } })).status, 202);
});

test.serial('the name of a backup changes; what is not offered is refused', async (t) => {
  const id = await complete(await begin(await volume(), { name: 'a' }));
  t.is((await client.version(8).put(`${backups}/${id}`, { backup: { name: 'b' } })).status, 404);
  const renamed = await client.version(9).put(`${backups}/${id}`, { backup: { name: 'b', description: 'x' } });
  t.like(summarySchema.parse(renamed.body).backup, { id, name: 'b' });
  t.deepEqual(await names(`${backups}?name=b`), ['b']);
  t.like(await show(id), { description: 'x', status: 'available' });
  t.is((await client.version(9).put(`${backups}/${id}`, { backup: {} })).status, 400);
  t.is((await client.get(`${backups}/${id}/export_record`)).status, 400);
  t.is((await client.post(`${backups}/import_record`, { 'backup-record': {} })).status, 400);
  t.is((await client.post(backups, { backup: { volume_id: await volume(), container: 'x' } })).status, 400);
  t.is((await client.post(backups, { backup: { name: 'x' } })).status, 400);
});

test.serial('a request for a backup that is sent twice with the same key makes one', async (t) => {
  const id = await volume();
  const twice = client.with({ 'Idempotency-Key': 'k' });
  const [one, other] = await Promise.all([begin(id, { name: 'a' }, twice), begin(id, { name: 'a' }, twice)]);
  t.is(one, other);
  await complete(one);
  t.is(await begin(id, { name: 'a' }, twice), one);
  t.deepEqual(await names(backups), ['a']);
});
