import { randomUUID } from 'node:crypto';
import test from 'ava';
import { z } from 'zod';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { type ApiAnswer, type ApiClient, object } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };

let cluster: Cluster;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
let giver: ApiClient;
let taker: ApiClient;
let commands: ClusterCommands;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  roles = await startApiWithRoles(cluster);
  [giver, taker] = [roles.as('p1', 'member').version(70), roles.as('p2', 'member').version(70)];
  const store = await cluster.store();
  commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
});
test.afterEach.always(async () => {
  await roles.close();
  await cluster.close();
});

const transfers = '/v3/volume-transfers';
const createdSchema = z.object({
  transfer: z.looseObject({ id: z.string(), auth_key: z.string(), name: z.string().nullable() }),
});
const listSchema = z.object({
  transfers: z.array(z.looseObject({ id: z.string(), name: z.string().nullable() })),
  transfers_links: z.array(z.object({ href: z.string() })).default([]),
});
const volumeSchema = z.object({ volume: z.looseObject({ status: z.string() }) });

async function volume(): Promise<string> {
  return (await commands.commands.create({ size: 1, userId: 'u', projectId: 'p1' }, deadline)).id;
}

async function offer(volumeId: string, more: object = {}, path = transfers, from = giver) {
  const { status, body } = await from.post(path, { transfer: { volume_id: volumeId, ...more } });
  if (status !== 202) throw new Error(JSON.stringify(body));
  return createdSchema.parse(body).transfer;
}

function accept(id: string, key: string, from = taker, path = transfers): Promise<ApiAnswer> {
  return from.post(`${path}/${id}/accept`, { accept: { auth_key: key } });
}

async function statusOf(volumeId: string, from: ApiClient): Promise<string> {
  const { status, body } = await from.get(`/v3/volumes/${volumeId}`);
  return status === 200 ? volumeSchema.parse(body).volume.status : String(status);
}

async function names(path: string, from = giver): Promise<(string | null)[]> {
  return listSchema.parse((await from.get(path)).body).transfers.map(({ name }) => name);
}

test.serial('a volume is offered, and accepted by who has the key', async (t) => {
  const id = await volume();
  const { auth_key: key, ...made } = await offer(id, { name: 'to the lab' });
  t.like(made, { volume_id: id, name: 'to the lab', no_snapshots: false, source_project_id: 'p1', accepted: false });
  t.is(await statusOf(id, giver), 'awaiting-transfer');
  const shown = await giver.get(`${transfers}/${made.id}`);
  t.deepEqual(shown.body, { transfer: made }, 'without the key');
  t.is((await taker.get(`${transfers}/${made.id}`)).status, 404);
  const [wrong, absent] = await Promise.all([accept(made.id, 'x'), accept(randomUUID(), key)]);
  t.deepEqual([wrong.status, absent.status], [404, 404]);
  const accepted = await accept(made.id, key.toUpperCase());
  t.is(accepted.status, 202);
  t.like(object.parse(object.parse(accepted.body)['transfer']), { id: made.id, volume_id: id, name: 'to the lab' });
  await until(async () => (await statusOf(id, taker)) === 'available', 'the volume is of the other project');
  t.is(await statusOf(id, giver), '404');
  t.deepEqual(await names(transfers), []);
  t.is((await accept(made.id, key, roles.as('p3', 'member').version(70))).status, 404, 'a key is good for once');
});

test.serial('what a transfer has depends on the version, and so does its path', async (t) => {
  const id = await volume();
  const old = '/v3/os-volume-transfer';
  const { id: made, auth_key: _, ...first } = await offer(id, {}, old, giver.version(0));
  t.deepEqual(Object.keys(first).toSorted(), ['created_at', 'links', 'name', 'volume_id']);
  for (const [version, field] of [
    [55, 'no_snapshots'],
    [57, 'destination_project_id'],
  ] as const) {
    const at = async (minor: number) =>
      object.parse(object.parse((await giver.version(minor).get(`${old}/${made}`)).body)['transfer']);
    t.false(field in (await at(version - 1)), field);
    t.true(field in (await at(version)), field);
  }
  t.is((await giver.version(54).get(`${transfers}/${made}`)).status, 404);
  t.is((await giver.version(55).get(`${transfers}/${made}`)).status, 200);
  const withFlag = { transfer: { volume_id: id, no_snapshots: true } };
  t.is((await giver.post(old, withFlag)).status, 400);
});

test.serial('snapshots go with their volume unless they are to stay', async (t) => {
  for (const [staying, project] of [
    [false, 'p2'],
    [true, 'p1'],
  ] as const) {
    const id = await volume();
    const taken = await commands.snapshots.create(id, { userId: 'u', projectId: 'p1' }, deadline);
    const { id: made, auth_key: key } = await offer(id, { no_snapshots: staying });
    t.is((await accept(made, key)).status, 202);
    t.is((await snapshotsOf(commands.store).lookup(taken.id)).projectId, project);
  }
});

test.serial('offers are listed in pages, by the project that makes them', async (t) => {
  const ids = [await volume(), await volume(), await volume()];
  for (const [index, id] of ids.entries()) await offer(id, { name: `t${index}` });
  t.deepEqual(await names(transfers), ['t2', 't1', 't0']);
  t.deepEqual(await names(`${transfers}/detail?sort=name:asc`), ['t0', 't1', 't2']);
  t.deepEqual(await names(`${transfers}/detail?volume_id=${ids[1] ?? ''}`), ['t1']);
  t.deepEqual(await names(`${transfers}?name=t2`), ['t2']);
  t.deepEqual(await names(transfers, taker), []);
  t.deepEqual(await names(`${transfers}?all_tenants=True`, taker), []);
  t.deepEqual((await names(`${transfers}?all_tenants=True`, roles.as('p2', 'admin').version(70))).length, 3);
  const first = listSchema.parse((await giver.get(`${transfers}?limit=2`)).body);
  t.deepEqual(await names(first.transfers_links[0]?.href.slice(giver.url.length) ?? ''), ['t0']);
});

test.serial('an offer ends by its deletion; only one at a time is possible, of a detached volume', async (t) => {
  const id = await volume();
  const { id: made, auth_key: key } = await offer(id);
  t.is((await giver.post(transfers, { transfer: { volume_id: id } })).status, 409);
  t.is((await accept(made, key, giver)).status, 409, 'by its own project');
  t.is((await taker.delete(`${transfers}/${made}`)).status, 404);
  t.is((await giver.delete(`${transfers}/${made}`)).status, 202);
  t.is(await statusOf(id, giver), 'available');
  t.is((await giver.delete(`${transfers}/${made}`)).status, 404);
  t.is((await accept(made, key)).status, 404);
  await commands.commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  t.is((await giver.post(transfers, { transfer: { volume_id: id } })).status, 409);
  t.is((await taker.post(transfers, { transfer: { volume_id: id } })).status, 404);
  t.is((await giver.post(transfers, { transfer: { name: 'x' } })).status, 400);
});

test.serial('of two projects that accept at once one has the volume', async (t) => {
  const id = await volume();
  const { id: made, auth_key: key } = await offer(id);
  const answers = await Promise.all(
    ['p2', 'p3', 'p4'].map((project) => accept(made, key, roles.as(project, 'member').version(70))),
  );
  t.deepEqual(answers.map(({ status }) => String(status)).toSorted(), ['202', '404', '404']);
});
