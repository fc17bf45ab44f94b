import test from 'ava';
import { z } from 'zod';
import type { Api } from '../../../services/api/api.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { type ApiClient, startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { fakeNode, insertVolume, taskText } from '../../support/records.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  ({ api, client } = await startApi(cluster));
});
test.afterEach.always(async () => {
  await api.stop();
  await cluster.close();
});

const ours = '/v3/p1/blockstore';
const oneSchema = z.object({ volume: z.object({ id: z.string() }) });
const nodesSchema = z.object({
  nodes: z.array(z.looseObject({ name: z.string() })),
  nodes_links: z.array(z.object({ href: z.string() })).default([]),
});
const operationsSchema = z.object({
  operations: z.array(z.looseObject({ volume_id: z.string() })),
  complete: z.boolean(),
});
const statusesSchema = z.object({
  statuses: z.record(z.string(), z.int()),
  faulty: z.array(z.looseObject({ volume_id: z.string() })),
  total: z.int(),
});
const eventsSchema = z.object({
  events: z.array(z.looseObject({ id: z.string(), event: z.string(), volume_id: z.string().nullable() })),
  last: z.string(),
});

async function create(name: string, project = 'p1'): Promise<string> {
  const answer = await client.post(`/v3/${project}/volumes`, { volume: { size: 1, name } });
  return oneSchema.parse(answer.body).volume.id;
}

async function isAvailable(id: string): Promise<boolean> {
  const { body } = await client.get(`${ours}/operations/${id}`);
  return z.object({ operation: z.object({ status: z.string() }) }).parse(body).operation.status === 'available';
}

test.serial('the cluster is shown at a glance: nodes, capacity, and problems with their hints', async (t) => {
  await fakeNode(store, 'good', { backends: [{}] });
  await fakeNode(store, 'ill', { problems: 'eth1 is down', backends: [{ name: 'slow', problem: 'a disk is absent' }] });
  const { body } = await client.get(`${ours}/cluster`);
  const { cluster: shown } = z
    .object({ cluster: z.looseObject({ problems: z.array(z.object({ message: z.string() })) }) })
    .parse(body);
  t.like(shown, {
    nodes: { up: 2, down: 0, stopped: 0, lost: 0 },
    total_bytes: 2 ** 41,
    free_bytes: 2 ** 41,
    volumes: 0,
  });
  const messages = new Set(shown.problems.map(({ message }) => message));
  t.true(messages.has('node ill: eth1 is down'));
  t.true(messages.has('node ill: backend slow: a disk is absent'));
});

test.serial('nodes are listed in pages and found by a part of their name', async (t) => {
  for (const name of ['a1', 'a2', 'a3', 'b1']) await fakeNode(store, name, { backends: [{}] });
  const list = async (path: string) => nodesSchema.parse((await client.get(path)).body);
  const first = await list(`${ours}/nodes?limit=2&name~=a`);
  t.deepEqual(
    first.nodes.map(({ name }) => name),
    ['a1', 'a2'],
  );
  const next = new URL(first.nodes_links[0]?.href ?? '');
  const second = await list(`${next.pathname}${next.search}`);
  t.deepEqual([second.nodes.map(({ name }) => name), second.nodes_links], [['a3'], []]);
  const { body } = await client.get(`${ours}/nodes/b1`);
  t.like(z.object({ node: z.looseObject({}) }).parse(body).node, {
    name: 'b1',
    state: 'up',
    volumes: 0,
    closed: false,
  });
  t.is((await client.get(`${ours}/nodes/none`)).status, 404);
  t.is((await client.get(`${ours}/nodes/..%2f..`)).status, 404);
});

test.serial('operations under way are listed with their task, the oldest first', async (t) => {
  await fakeNode(store, 'n1', { backends: [{}] });
  const one = await insertVolume(store, { name: 'one', projectId: 'p1', progress: '40' });
  const other = await insertVolume(store, { name: 'other', status: 'deleting', task: taskText('delete') });
  await insertVolume(store, { status: 'available', projectId: 'p1' });
  const { operations, complete } = operationsSchema.parse((await client.get(`${ours}/operations`)).body);
  t.deepEqual([operations.map((operation) => operation.volume_id), complete], [[one.id, other.id], true]);
  t.like(operations[0], { name: 'one', status: 'creating', task: 'create', progress: 40, node: 'n1', fault: null });
  const { body } = await client.get(`${ours}/operations/${one.id}`);
  t.deepEqual(z.object({ operation: z.looseObject({}) }).parse(body).operation, operations[0]);
  t.is((await client.get(`${ours}/operations/${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`)).status, 404);
});

test.serial('volumes are counted by status, and those with a fault are listed with its hint', async (t) => {
  await insertVolume(store, { status: 'available', projectId: 'p1' });
  await insertVolume(store, { status: 'available', projectId: 'p2' });
  const fault = JSON.stringify({ code: 'X', kind: 'failed', message: 'it broke', hint: 'fix it' });
  const faulty = await insertVolume(store, { status: 'error', projectId: 'p1', fault });
  const own = statusesSchema.parse((await client.get(`${ours}/statuses`)).body);
  t.deepEqual([own.statuses, own.total], [{ available: 1, error: 1 }, 2]);
  t.like(own.faulty[0], {
    volume_id: faulty.id,
    status: 'error',
    fault: { code: 'X', message: 'it broke', hint: 'fix it' },
  });
  const all = statusesSchema.parse((await client.get(`${ours}/statuses?all_tenants=1`)).body);
  t.deepEqual(all.statuses, { available: 2, error: 1 });
});

test.serial('the history of a volume is the newest first, and later events follow the last one', async (t) => {
  await cluster.node('n1');
  const id = await create('a');
  await create('b', 'p2');
  await until(() => isAvailable(id), 'available');
  const list = async (query: string) => eventsSchema.parse((await client.get(`${ours}/events${query}`)).body);
  const history = await list(`?volume_id=${id}`);
  t.deepEqual(
    history.events.map(({ event }) => event),
    ['volume.create.end', 'volume.create.start'],
  );
  const { last } = await list('?limit=1');
  t.deepEqual(await list(`?after=${last}`), { events: [], last });
  await client.delete(`/v3/p1/volumes/${id}`);
  await until(async () => (await list(`?after=${last}&volume_id=${id}`)).events.length === 2, 'its deletion');
  t.deepEqual(
    (await list(`?volume_id=${id}&limit=1`)).events.map(({ event }) => event),
    ['volume.delete.end'],
  );
  t.is((await client.get(`${ours}/events?after=x`)).status, 400);
  t.is((await client.get(`${ours}/events?volume_id=x`)).status, 404);
});
