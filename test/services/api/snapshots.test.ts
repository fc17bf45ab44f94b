import { randomUUID } from 'node:crypto';
import test from 'ava';
import { z } from 'zod';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let commands: VolumeCommands;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  ({ api, client } = await startApi(cluster));
  commands = await cluster.commands();
});
test.afterEach.always(async () => {
  await api.stop();
  await cluster.close();
});

const snapshots = '/v3/p1/snapshots';
const viewSchema = z.looseObject({ id: z.string(), name: z.string().nullable(), status: z.string() });
const oneSchema = z.object({ snapshot: viewSchema });
const listSchema = z.object({
  snapshots: z.array(viewSchema),
  snapshots_links: z.array(z.object({ href: z.string() })).default([]),
  count: z.int().optional(),
});
const volumeSchema = z.object({ volume: z.looseObject({ id: z.string(), status: z.string() }) });
const errorSchema = z.record(z.string(), z.object({ message: z.string() }));

async function volume(projectId = 'p1'): Promise<string> {
  return (await commands.create({ size: 2, userId: 'u', projectId, name: 'data' }, deadline)).id;
}

async function show(id: string, from = client) {
  return oneSchema.parse((await from.get(`${snapshots}/${id}`)).body).snapshot;
}

/** Takes a snapshot and waits for its data. */
async function take(volumeId: string, more: object = {}, path = snapshots): Promise<string> {
  const answer = await client.post(path, { snapshot: { volume_id: volumeId, ...more } });
  if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
  const { id } = oneSchema.parse(answer.body).snapshot;
  await until(async () => (await show(id)).status === 'available', 'the snapshot is available');
  return id;
}

async function names(path: string, from = client): Promise<(string | null)[]> {
  const { status, body } = await from.get(path);
  if (status !== 200) throw new Error(`${path}: ${JSON.stringify(body)}`);
  return listSchema.parse(body).snapshots.map(({ name }) => name);
}

function messageOf({ body }: ApiAnswer): string {
  return Object.values(errorSchema.parse(body))[0]?.message ?? '';
}

test.serial('a snapshot is taken, shown, changed and deleted', async (t) => {
  const of = await volume();
  const given = { name: 'before', description: 'the upgrade', metadata: { step: '1' } };
  const id = await take(of, given);
  t.like(await show(id), {
    ...given,
    volume_id: of,
    size: 2,
    updated_at: null,
    'os-extended-snapshot-attributes:progress': '100%',
    'os-extended-snapshot-attributes:project_id': 'p1',
  });
  const changed = await client.put(`${snapshots}/${id}`, { snapshot: { name: 'after', description: null } });
  t.is(changed.status, 200);
  t.like(oneSchema.parse(changed.body).snapshot, { name: 'after', description: null, metadata: { step: '1' } });
  t.is((await client.delete(`${snapshots}/${id}`)).status, 202);
  await until(async () => (await client.get(`${snapshots}/${id}`)).status === 404, 'deleted');
  t.is((await client.delete(`${snapshots}/${id}`)).status, 404);
});

test.serial('what a snapshot has depends on the version', async (t) => {
  const id = await take(await volume());
  for (const [version, field] of [
    [14, 'group_snapshot_id'],
    [41, 'user_id'],
    [65, 'consumes_quota'],
  ] as const) {
    t.false(field in (await show(id, client.version(version - 1))), field);
    t.true(field in (await show(id, client.version(version))), field);
  }
});

test.serial('force takes a snapshot of an attached volume, and is implied from 3.66 on', async (t) => {
  const of = await volume();
  await commands.attach(of, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const status = async (version: number, force?: unknown) => {
    const body = { snapshot: { volume_id: of, ...(force === undefined ? {} : { force }) } };
    const answer = await client.version(version).post(snapshots, body);
    if (answer.status !== 202) return `${answer.status}: ${messageOf(answer).slice(0, 70)}`;
    const { id } = oneSchema.parse(answer.body).snapshot;
    await until(async () => (await show(id)).status === 'available', 'available');
    return answer.status;
  };
  for (const force of [undefined, null, false, 'False', '0', 'no']) {
    t.regex(String(await status(65, force)), /^409: volume .* is attached to i-1/, String(force));
  }
  for (const force of [true, 'true', 'True', '1', 'yes']) t.is(await status(0, force), 202, String(force));
  for (const force of [undefined, null, true, 'true']) t.is(await status(66, force), 202, String(force));
  for (const force of [false, 'false']) {
    t.regex(String(await status(66, force)), /^400: snapshot\.force: must not be false from version 3\.66/);
  }
  for (const force of ['maybe', 2, {}]) t.regex(String(await status(0, force)), /^400: snapshot\.force: must be true/);
});

test.serial('lists have pages, filters and orders', async (t) => {
  const [one, other] = [await volume(), await volume()];
  for (const name of ['a', 'b', 'c']) await take(one, { name, metadata: { of: name } });
  await take(other, { name: 'd' });
  t.deepEqual(await names(snapshots), ['d', 'c', 'b', 'a']);
  t.deepEqual(await names(`${snapshots}/detail?sort=name:asc`), ['a', 'b', 'c', 'd']);
  t.deepEqual(await names(`${snapshots}/detail?volume_id=${one}&sort=created_at:asc`), ['a', 'b', 'c']);
  t.deepEqual(await names(`${snapshots}?name=b`), ['b']);
  t.deepEqual(await names(`${snapshots}?name~=d`), ['d']);
  t.deepEqual(await names(`${snapshots}?status=error`), []);
  t.deepEqual(await names(`${snapshots}?metadata=${encodeURIComponent("{'of': 'c'}")}`), ['c']);
  t.deepEqual(await names(`${snapshots}?created_at=gt:2999-01-01T00:00:00`), []);
  const first = listSchema.parse((await client.get(`${snapshots}/detail?limit=3&with_count=True`)).body);
  t.deepEqual([first.snapshots.length, first.count, first.snapshots_links.length], [3, 4, 1]);
  const next = first.snapshots_links[0]?.href.slice(client.url.length) ?? '';
  t.deepEqual(await names(next), ['a']);
  t.is((await client.get(`${snapshots}?color=red`)).status, 400);
});

test.serial('a project knows of its own snapshots alone, and readers change nothing', async (t) => {
  const roles = await startApiWithRoles(cluster);
  t.teardown(() => roles.close());
  const of = await volume();
  const id = await take(of, { name: 'own' });
  await take(await volume('p2'), { name: 'other' }, '/v3/p2/snapshots');
  const member = roles.as('p1', 'member');
  t.deepEqual(await names(`${snapshots}?all_tenants=1`, member), ['own']);
  t.deepEqual(await names(`${snapshots}?all_tenants=1&sort=name:asc`, roles.as('p1', 'admin')), ['other', 'own']);
  t.deepEqual(await names(`${snapshots}?all_tenants=1&project_id=p2`, roles.as('p1', 'admin')), ['other']);
  const stranger = roles.as('p2', 'member');
  t.is((await stranger.get(`/v3/p2/snapshots/${id}`)).status, 404);
  t.is((await stranger.delete(`/v3/p2/snapshots/${id}`)).status, 404);
  t.is((await stranger.post('/v3/p2/snapshots', { snapshot: { volume_id: of } })).status, 404);
  t.deepEqual(await names(`/v3/p2/snapshots?volume_id=${of}`, stranger), []);
  const reader = roles.as('p1', 'reader');
  t.is((await reader.get(`${snapshots}/${id}`)).status, 200);
  t.is((await reader.delete(`${snapshots}/${id}`)).status, 403);
  t.is((await member.post(`${snapshots}/${id}/action`, { 'os-force_delete': {} })).status, 403);
});

test.serial('the metadata of a snapshot is set, replaced and removed', async (t) => {
  const path = `${snapshots}/${await take(await volume(), { metadata: { a: '1' } })}/metadata`;
  t.deepEqual((await client.post(path, { metadata: { b: '2' } })).body, { metadata: { a: '1', b: '2' } });
  t.deepEqual((await client.get(`${path}/b`)).body, { meta: { b: '2' } });
  t.deepEqual((await client.put(`${path}/b`, { meta: { b: '3' } })).body, { meta: { b: '3' } });
  t.is((await client.put(`${path}/b`, { meta: { c: '3' } })).status, 400);
  t.deepEqual((await client.put(path, { metadata: { d: '4' } })).body, { metadata: { d: '4' } });
  t.is((await client.delete(`${path}/d`)).status, 200);
  t.is((await client.delete(`${path}/d`)).status, 404);
  t.deepEqual((await client.get(path)).body, { metadata: {} });
});

test.serial('the status of a snapshot follows from its storage: actions set no other', async (t) => {
  const id = await take(await volume());
  const act = (body: unknown) => client.post(`${snapshots}/${id}/action`, body);
  t.is((await act({ 'os-reset_status': { status: 'available' } })).status, 202);
  t.is((await act({ 'os-update_snapshot_status': { status: 'available', progress: '100%' } })).status, 202);
  for (const body of [
    { 'os-reset_status': { status: 'error' } },
    { 'os-update_snapshot_status': { status: 'deleting' } },
  ]) {
    const refused = await act(body);
    t.is(refused.status, 400);
    t.regex(messageOf(refused), /is available: that follows from its storage/);
  }
  t.is((await act({ 'os-reset_status': { status: 'nice' } })).status, 400);
  t.is((await act({ 'os-force_delete': {} })).status, 202);
  await until(async () => (await client.get(`${snapshots}/${id}`)).status === 404, 'deleted');
});

test.serial('volumes are made from snapshots and from volumes, at their size unless another is given', async (t) => {
  const of = await volume();
  const id = await take(of);
  const make = async (body: object) => {
    const answer = await client.post('/v3/p1/volumes', { volume: body });
    t.is(answer.status, 202, JSON.stringify(answer.body));
    const made = volumeSchema.parse(answer.body).volume;
    const read = async () => volumeSchema.parse((await client.get(`/v3/p1/volumes/${made.id}`)).body).volume;
    await until(async () => (await read()).status === 'available', 'available');
    return read();
  };
  t.like(await make({ snapshot_id: id, size: null }), { size: 2, snapshot_id: id });
  t.like(await make({ snapshot_id: id, size: 3 }), { size: 3, snapshot_id: id });
  t.like(await make({ source_volid: of }), { size: 2, source_volid: of });
  t.is((await client.post('/v3/p1/volumes', { volume: { snapshot_id: id, size: 1 } })).status, 400);
  t.is((await client.post('/v3/p1/volumes', { volume: { snapshot_id: randomUUID() } })).status, 404);
});

test.serial('a request that is sent twice with the same key takes one snapshot', async (t) => {
  const of = await volume();
  const send = (name: string) =>
    client.with({ 'Idempotency-Key': 'k1' }).post(snapshots, { snapshot: { volume_id: of, name } });
  const answers = await Promise.all([send('a'), send('a')]);
  t.deepEqual(
    answers.map(({ status }) => status),
    [202, 202],
  );
  t.is((await send('b')).status, 409);
  t.deepEqual(await names(snapshots), ['a']);
});

test.serial('a request for a snapshot names what is wrong with it', async (t) => {
  const of = await volume();
  for (const [body, status, message] of [
    [{}, 400, /^snapshot: /],
    [{ snapshot: {} }, 400, /^snapshot\.volume_id: /],
    [{ snapshot: { volume_id: 'x' } }, 400, /^snapshot\.volume_id: must be a UUID/],
    [{ snapshot: { volume_id: randomUUID() } }, 404, /does not exist/],
    [{ snapshot: { volume_id: of, metadata: { a: 1 } } }, 400, /^snapshot\.metadata\.a: values must be text/],
    [{ snapshot: { volume_id: of, color: 'red' } }, 400, /color/],
  ] as const) {
    const answer = await client.post(snapshots, body);
    t.is(answer.status, status, JSON.stringify(body));
    t.regex(messageOf(answer), message);
  }
  t.deepEqual(await names(snapshots), []);
});

test.serial(
  'snapshots of one volume that are asked for at once are taken, and deleted, one after the other',
  async (t) => {
    const of = await volume();
    const eight = Array.from({ length: 8 }, (_, index) => `s${index}`);
    const ids = await Promise.all(eight.map((name) => take(of, { name })));
    const answers = await Promise.all(ids.map((id) => client.delete(`${snapshots}/${id}`)));
    t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
    const left = async () => listSchema.parse((await client.get(snapshots)).body).snapshots;
    await until(async () => (await left()).length === 0, 'all are deleted');
  },
);
