import { randomUUID } from 'node:crypto';
import test from 'ava';
import { z } from 'zod';
import { createType } from '../../../lib/client/types.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, object, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };
const oneSchema = z.record(z.string(), z.looseObject({ id: z.string() }));

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let commands: VolumeCommands;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  const started = await startApi(cluster);
  ({ api } = started);
  client = started.client.version(70);
  commands = await cluster.commands();
  store = await cluster.store();
});
test.afterEach.always(async () => {
  await api.stop();
  await cluster.close();
});

function objectIn({ body }: ApiAnswer): { id: string } & Record<string, unknown> {
  const [one] = Object.values(oneSchema.parse(body));
  if (!one) throw new Error(JSON.stringify(body));
  return one;
}

async function show(path: string) {
  const answer = await client.get(path);
  if (answer.status !== 200) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return objectIn(answer);
}

async function newGroup() {
  const { id: volumeType } = await createType(store, { name: 'fast' });
  const made = await client.post('/v3/p1/group_types', { group_type: { name: 'together' } });
  const groupType = objectIn(made).id;
  const given = { name: 'shop', description: 'of the shop', group_type: groupType, volume_types: ['fast'] };
  const group = objectIn(await client.post('/v3/p1/groups', { group: given })).id;
  return { volumeType, groupType, group };
}

async function newVolume(type: string): Promise<string> {
  return (await commands.create({ size: 1, userId: 'u', projectId: 'p1', type }, deadline)).id;
}

test.serial('a type of groups has specs, and is seen by others than administrators where it is public', async (t) => {
  const specs = { consistent_group_snapshot_enabled: '<is> True' };
  const made = await client.post('/v3/p1/group_types', {
    group_type: { name: 'together', description: 'of one moment' },
  });
  t.is(made.status, 202);
  const { id } = objectIn(made);
  const path = `/v3/p1/group_types/${id}`;
  t.deepEqual((await client.post(`${path}/group_specs`, { group_specs: { ...specs, other: 'x' } })).body, {
    group_specs: { ...specs, other: 'x' },
  });
  t.is((await client.delete(`${path}/group_specs/other`)).status, 202);
  t.is((await client.get(`${path}/group_specs/other`)).status, 404);
  t.deepEqual((await client.put(`${path}/group_specs/more`, { more: '1' })).body, { more: '1' });
  t.deepEqual((await client.get(`${path}/group_specs/more`)).body, { more: '1' });
  t.deepEqual((await client.get(`${path}/group_specs`)).body, { group_specs: { ...specs, more: '1' } });
  const described = { name: 'together', description: 'of one moment', is_public: true };
  t.like(await show(path), { ...described, group_specs: { ...specs, more: '1' } });
  t.is((await client.post('/v3/p1/group_types', { group_type: { name: 'together' } })).status, 409);
  t.like(objectIn(await client.put(path, { group_type: { name: 'renamed', is_public: false } })), { name: 'renamed' });
  t.deepEqual(object.parse((await client.get('/v3/p1/group_types')).body)['group_types'], [await show(path)]);
  t.is((await client.version(10).get('/v3/p1/group_types')).status, 404, 'before version 3.11');
  t.is((await client.get('/v3/p1/group_types/default')).status, 404);
  t.is((await client.delete(path)).status, 202);
  t.is((await client.get(path)).status, 404);
});

test.serial('a group is made, gets volumes, is listed and shown, and deleted with its volumes', async (t) => {
  const { volumeType, groupType, group } = await newGroup();
  const path = `/v3/p1/groups/${group}`;
  const shown = await show(path);
  t.like(shown, {
    name: 'shop',
    description: 'of the shop',
    status: 'available',
    group_type: groupType,
    project_id: 'p1',
  });
  t.deepEqual([shown['volume_types'], shown['availability_zone'], 'volumes' in shown], [[volumeType], null, false]);
  const volumes = [await newVolume(volumeType), await newVolume(volumeType)];
  const [first = '', second = ''] = volumes;
  const update = (given: object) => client.put(path, { group: given });
  t.is((await update({ add_volumes: volumes.join(',') })).status, 202);
  t.like(await show(`${path}?list_volume=True`), { availability_zone: 'nova', volumes });
  t.is((await show(`/v3/p1/volumes/${first}`))['group_id'], group);
  t.is((await client.delete(`/v3/p1/volumes/${first}`)).status, 409, 'a volume of a group is not deleted alone');
  t.is((await update({ remove_volumes: second, name: 'store', description: '' })).status, 202);
  t.like(await show(`${path}?list_volume=true`), { name: 'store', description: null, volumes: [first] });
  const plain = (await commands.create({ size: 1, userId: 'u', projectId: 'p1' }, deadline)).id;
  t.is((await update({ add_volumes: plain })).status, 409, 'of another type');
  t.is((await update({ add_volumes: randomUUID() })).status, 404);
  const added = await client.post('/v3/p1/volumes', { volume: { size: 1, volume_type: 'fast', group_id: group } });
  const made = objectIn(added).id;
  await until(async () => (await volumesOf(store).lookup(made)).status === 'available', 'it is made');
  t.like(await show(`${path}?list_volume=true`), { volumes: [first, made] });
  t.deepEqual((await client.get('/v3/p1/groups?name=store')).body, { groups: [{ id: group, name: 'store' }] });
  t.deepEqual((await client.get('/v3/p1/groups?status=error')).body, { groups: [] });
  t.deepEqual((await client.get('/v3/p1/groups/detail')).body, { groups: [await show(path)] });
  t.is((await client.delete(`/v3/p1/group_types/${groupType}`)).status, 409, 'a group has the type');
  t.is((await client.post(`${path}/action`, { reset_status: { status: 'available' } })).status, 202);
  t.is((await client.post(`${path}/action`, { reset_status: { status: 'error' } })).status, 400);
  t.is((await client.post(`${path}/action`, { delete: { 'delete-volumes': false } })).status, 409);
  t.is((await client.post('/v3/p1/groups/action', { 'create-from-src': {} })).status, 400);
  t.is((await client.post(`${path}/action`, { delete: { 'delete-volumes': true } })).status, 202);
  t.is((await client.get(path)).status, 404);
  await until(async () => (await volumesOf(store).find(made)) === undefined, 'its volumes are deleted');
  t.is((await client.version(12).get('/v3/p1/groups')).status, 404, 'before version 3.13');
});

test.serial('a group snapshot is taken, listed, shown with its snapshots, and deleted', async (t) => {
  const { volumeType, groupType, group } = await newGroup();
  const take = () => client.post('/v3/p1/group_snapshots', { group_snapshot: { group_id: group, name: 'before' } });
  t.is((await take()).status, 409, 'the group is empty');
  const volume = await newVolume(volumeType);
  await client.put(`/v3/p1/groups/${group}`, { group: { add_volumes: volume } });
  const taken = await take();
  t.is(taken.status, 202);
  t.like(objectIn(taken), { name: 'before', group_type_id: groupType });
  const { id } = objectIn(taken);
  const path = `/v3/p1/group_snapshots/${id}`;
  await until(async () => (await show(path))['status'] === 'available', 'it is available');
  t.like(await show(path), { group_id: group, group_type_id: groupType, description: null, project_id: 'p1' });
  const details = object.parse((await client.get('/v3/p1/snapshots/detail')).body)['snapshots'];
  const snapshots = z.array(z.looseObject({ id: z.string() })).parse(details);
  t.like(snapshots, [{ volume_id: volume, group_snapshot_id: id, name: 'before' }]);
  t.is((await client.delete(`/v3/p1/snapshots/${snapshots[0]?.id}`)).status, 409);
  const list = object.parse((await client.get(`/v3/p1/group_snapshots?group_id=${group}`)).body);
  t.deepEqual(list['group_snapshots'], [{ id, name: 'before', group_type_id: groupType }]);
  t.deepEqual((await client.get('/v3/p1/group_snapshots/detail?status=error')).body, { group_snapshots: [] });
  t.is((await client.post(`${path}/action`, { reset_status: { status: 'available' } })).status, 202);
  t.is((await client.post(`${path}/action`, { reset_status: { status: 'error' } })).status, 400);
  t.is((await client.delete(path)).status, 202);
  await until(async () => (await client.get(path)).status === 404, 'it is deleted');
  t.is((await client.version(13).get('/v3/p1/group_snapshots')).status, 404, 'before version 3.14');
});

test.serial('a project sees its own groups alone, and group types that are public', async (t) => {
  const { groupType, group } = await newGroup();
  const roles = await startApiWithRoles(cluster);
  t.teardown(() => roles.close());
  const as = (project: string, role: string) => roles.as(project, role).version(70);
  const [stranger, reader, member] = [as('p2', 'member'), as('p1', 'reader'), as('p1', 'member')];
  t.is((await stranger.get(`/v3/p2/groups/${group}`)).status, 404);
  t.deepEqual((await stranger.get('/v3/p2/groups?all_tenants=1')).body, { groups: [] });
  const given = { group_snapshot: { group_id: group } };
  t.is((await stranger.post('/v3/p2/group_snapshots', given)).status, 404);
  t.is((await reader.get(`/v3/p1/groups/${group}`)).status, 200);
  t.is((await reader.post(`/v3/p1/groups/${group}/action`, { delete: {} })).status, 403);
  t.is((await member.post('/v3/p1/group_types', { group_type: { name: 'x' } })).status, 403);
  const seen = objectIn(await member.get(`/v3/p1/group_types/${groupType}`));
  t.false('group_specs' in seen);
  await client.put(`/v3/p1/group_types/${groupType}`, { group_type: { is_public: false } });
  t.is((await member.get(`/v3/p1/group_types/${groupType}`)).status, 404);
  t.deepEqual((await member.get('/v3/p1/group_types')).body, { group_types: [] });
});
