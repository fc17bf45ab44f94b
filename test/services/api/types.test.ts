import test from 'ava';
import { z } from 'zod';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, object, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600', storage_availability_zone: 'east' });
  ({ api, client } = await startApi(cluster));
  roles = await startApiWithRoles(cluster);
});
test.afterEach.always(async () => {
  await api.stop();
  await roles.close();
  await cluster.close();
});

const types = '/v3/p1/types';
const typeSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  extra_specs: z.record(z.string(), z.string()),
  is_public: z.boolean(),
});
const oneSchema = z.object({ volume_type: typeSchema });
const listSchema = z.looseObject({ volume_types: z.array(typeSchema) });
const volumeSchema = z.object({
  volume: z.looseObject({ id: z.string(), status: z.string(), volume_type: z.string().nullable() }),
});
const errorSchema = z.record(z.string(), z.object({ code: z.int(), message: z.string() }));

async function createType(more: object) {
  const answer = await client.post(types, { volume_type: more });
  return oneSchema.parse(answer.body).volume_type;
}

function messageOf({ body }: ApiAnswer): string {
  return Object.values(errorSchema.parse(body))[0]?.message ?? '';
}

async function names(from: ApiClient, path: string): Promise<string[]> {
  return listSchema.parse((await from.get(path)).body).volume_types.map(({ name }) => name);
}

async function createVolume(more: object, from: ApiClient = client, project = 'p1') {
  const answer = await from.post(`/v3/${project}/volumes`, { volume: { size: 1, ...more } });
  return { status: answer.status, volume: answer.status === 202 ? volumeSchema.parse(answer.body).volume : undefined };
}

test.serial('a type is made, looked up by its name as clients do, changed and deleted', async (t) => {
  const made = await client.post(types, {
    volume_type: { name: ' fast ', description: 'for databases', 'os-volume-type-access:is_public': true },
  });
  t.is(made.status, 200);
  const { id } = oneSchema.parse(made.body).volume_type;
  t.like(oneSchema.parse((await client.get(`${types}/${id}`)).body).volume_type, {
    name: 'fast',
    description: 'for databases',
    is_public: true,
    'os-volume-type-access:is_public': true,
    qos_specs_id: null,
  });
  t.is((await client.get(`${types}/fast`)).status, 404);
  t.deepEqual(await names(client, `${types}?name=fast&is_public=None`), ['fast']);
  t.is((await client.post(types, { volume_type: { name: 'fast' } })).status, 409);
  t.is((await client.put(`${types}/${id}`, { volume_type: { name: null, description: null } })).status, 400);
  const changed = await client.put(`${types}/${id}`, { volume_type: { name: 'quick', is_public: false } });
  t.like(oneSchema.parse(changed.body).volume_type, { name: 'quick', description: 'for databases', is_public: false });
  t.deepEqual(await names(client, types), []);
  t.is((await client.delete(`${types}/${id}`)).status, 202);
  t.is((await client.get(`${types}/${id}`)).status, 404);
});

test.serial('lists of types have pages in both spellings of their link', async (t) => {
  for (const name of ['a', 'b', 'c']) await createType({ name });
  const { body } = await client.get(`${types}?limit=2&sort=name:asc`);
  const { volume_types: page, ...links } = listSchema.parse(body);
  t.deepEqual(
    page.map(({ name }) => name),
    ['a', 'b'],
  );
  t.deepEqual(links['volume_type_links'], links['volume_types_links']);
  t.is((await client.get(`${types}?colour=red`)).status, 400);
});

test.serial('what extra specs say of a backend holds, and comes back as it was given', async (t) => {
  const given = {
    volume_backend_name: 'fake',
    multiattach: '<is> True',
    'RESKEY:availability_zones': 'west,east',
    'capabilities:thin_provisioning_support': '<is> False',
    'capabilities:snapshots': '<is> True',
    'blockstore:iops': '500',
    colour: 'red',
  };
  const { id, extra_specs: specs } = await createType({ name: 'all', extra_specs: given });
  t.deepEqual(specs, given);
  const show = async () => oneSchema.parse((await client.get(`${types}/${id}`)).body).volume_type.extra_specs;
  t.deepEqual(await show(), given);
  t.deepEqual(object.parse((await client.get(`${types}/${id}/extra_specs`)).body)['extra_specs'], given);
  t.deepEqual((await client.get(`${types}/${id}/extra_specs/multiattach`)).body, { multiattach: '<is> True' });
  t.is((await client.get(`${types}/${id}/extra_specs/absent`)).status, 404);

  const { volume } = await createVolume({ volume_type: id });
  t.like(volume, { volume_type: 'all', multiattach: true });
  const used = await client.post(`${types}/${id}/extra_specs`, { extra_specs: { volume_backend_name: 'other' } });
  t.is(used.status, 409);
  t.is((await client.delete(`${types}/${id}`)).status, 409);
  await client.delete(`/v3/p1/volumes/${volume?.id}`);
  await until(async () => (await client.get(`/v3/p1/volumes/${volume?.id}`)).status === 404, 'deleted');

  const set = await client.post(`${types}/${id}/extra_specs`, { extra_specs: { volume_backend_name: 'other' } });
  t.deepEqual([set.status, set.body], [200, { extra_specs: { volume_backend_name: 'other' } }]);
  t.is((await createVolume({ volume_type: 'all' })).status, 400);
  for (const key of ['volume_backend_name', 'capabilities:thin_provisioning_support', 'colour', 'blockstore:iops']) {
    t.is((await client.delete(`${types}/${id}/extra_specs/${key}`)).status, 202);
    t.is((await client.delete(`${types}/${id}/extra_specs/${key}`)).status, 404);
  }
  t.deepEqual(await show(), {
    multiattach: '<is> True',
    'RESKEY:availability_zones': 'west,east',
    'capabilities:snapshots': '<is> True',
  });
  const put = await client.put(`${types}/${id}/extra_specs/multiattach`, { multiattach: 'False' });
  t.deepEqual([put.status, put.body], [200, { multiattach: 'False' }]);
  t.is((await show())['multiattach'], 'False');
  t.is((await client.put(`${types}/${id}/extra_specs/multiattach`, { other: 'x' })).status, 400);
  for (const [key, value] of [
    ['multiattach', 'perhaps'],
    ['capabilities:teleport', '<is> True'],
    ['replication_enabled', '<is> True'],
    ['volume_backend_name', '<in> lvm'],
    ['blockstore:iops', 'many'],
  ] as const) {
    const refused = await client.post(`${types}/${id}/extra_specs`, { extra_specs: { [key]: value } });
    t.is(refused.status, 400, key);
    t.regex(messageOf(refused), new RegExp(key));
  }
});

test.serial('a zone that is asked for does not take the place of that of the type', async (t) => {
  await createType({ name: 'far', extra_specs: { 'RESKEY:availability_zones': 'west,north' } });
  const volume = { size: 1, volume_type: 'far', availability_zone: 'east' };
  const refused = await client.post('/v3/p1/volumes', { volume });
  t.is(refused.status, 400);
  t.regex(messageOf(refused), /its zone is east, not west,north/);
});

test.serial('a private type exists for the projects that it admits alone', async (t) => {
  const { id } = await createType({ name: 'secret', 'os-volume-type-access:is_public': false });
  const [own, other] = [roles.as('p2', 'member'), roles.as('p3', 'member')];
  const admit = (project: string) => client.post(`${types}/${id}/action`, { addProjectAccess: { project } });
  t.is((await admit('p2')).status, 202);
  t.is((await admit('p2')).status, 409);
  t.deepEqual((await client.get(`${types}/${id}/os-volume-type-access`)).body, {
    volume_type_access: [{ volume_type_id: id, project_id: 'p2' }],
  });
  t.is((await own.get(`/v3/p2/types/${id}`)).status, 200);
  t.deepEqual(await names(own, '/v3/p2/types'), ['secret']);
  t.is((await createVolume({ volume_type: 'secret' }, own, 'p2')).status, 202);

  t.is((await other.get(`/v3/p3/types/${id}`)).status, 404);
  t.is((await other.get(`/v3/p3/types/${id}/extra_specs`)).status, 404);
  t.deepEqual(await names(other, '/v3/p3/types?is_public=None'), []);
  t.is((await createVolume({ volume_type: 'secret' }, other, 'p3')).status, 404);
  t.is((await createVolume({ volume_type: id }, other, 'p3')).status, 404);

  t.deepEqual(await names(client, types), []);
  t.deepEqual(await names(client, `${types}?is_public=False`), ['secret']);
  const exclude = () => client.post(`${types}/${id}/action`, { removeProjectAccess: { project: 'p2' } });
  t.is((await exclude()).status, 202);
  t.is((await exclude()).status, 404);
  t.is((await own.get(`/v3/p2/types/${id}`)).status, 404);
  await client.put(`${types}/${id}`, { volume_type: { is_public: true } });
  t.is((await own.get(`/v3/p2/types/${id}`)).status, 200);
  t.is((await admit('p2')).status, 400);
  t.is((await client.get(`${types}/${id}/os-volume-type-access`)).status, 404);
});

test.serial('others than administrators see of extra specs what concerns them, and change no type', async (t) => {
  const { id } = await createType({
    name: 'a',
    extra_specs: { multiattach: '<is> True', volume_backend_name: 'fake' },
  });
  const member = roles.as('p2', 'member');
  const { volume_type: seen } = oneSchema.parse((await member.get(`/v3/p2/types/${id}`)).body);
  t.deepEqual(seen.extra_specs, { multiattach: '<is> True' });
  t.false('qos_specs_id' in seen);
  t.is((await member.get(`/v3/p2/types/${id}/extra_specs/volume_backend_name`)).status, 404);
  for (const answer of [
    member.post('/v3/p2/types', { volume_type: { name: 'b' } }),
    member.put(`/v3/p2/types/${id}`, { volume_type: { name: 'b' } }),
    member.delete(`/v3/p2/types/${id}`),
    member.post(`/v3/p2/types/${id}/extra_specs`, { extra_specs: { a: 'b' } }),
    member.post(`/v3/p2/types/${id}/action`, { addProjectAccess: { project: 'p2' } }),
    member.get(`/v3/p2/types/${id}/os-volume-type-access`),
    member.get(`/v3/p2/types/${id}/encryption`),
    member.get('/v3/p2/qos-specs'),
    member.version(62).get('/v3/default-types'),
  ]) {
    t.is((await answer).status, 403);
  }
});

test.serial('volumes of a type with encryption are encrypted', async (t) => {
  const { id } = await createType({ name: 'luks' });
  const path = `${types}/${id}/encryption`;
  t.deepEqual((await client.get(path)).body, {});
  t.is((await client.put(`${path}/provider`, { encryption: { cipher: 'aes-xts-plain64' } })).status, 404);
  for (const wrong of [
    { provider: 'plain' },
    { provider: 'luks', cipher: 'twofish' },
    { provider: 'luks', key_size: 128 },
    { provider: 'luks', control_location: 'back-end' },
  ]) {
    t.is((await client.post(path, { encryption: wrong })).status, 400, JSON.stringify(wrong));
  }
  const given = { provider: 'luks', cipher: 'aes-xts-plain64', key_size: 256, control_location: 'front-end' };
  const made = await client.post(path, { encryption: given });
  t.is(made.status, 200);
  t.like(object.parse(object.parse(made.body)['encryption']), { ...given, volume_type_id: id });
  t.is((await client.post(path, { encryption: given })).status, 409);
  t.like(object.parse((await client.get(path)).body), given);
  t.deepEqual((await client.get(`${path}/provider`)).body, { provider: 'luks' });
  const changed = await client.put(`${path}/provider`, { encryption: { key_size: 512 } });
  t.like(object.parse(object.parse(changed.body)['encryption']), { ...given, key_size: 512 });

  const { volume } = await createVolume({ volume_type: 'luks' });
  t.like(volume, { encrypted: true });
  t.is((await client.delete(`${path}/provider`)).status, 409, 'it has a volume');
  await client.delete(`/v3/p1/volumes/${volume?.id}`);
  await until(async () => (await client.get(`/v3/p1/volumes/${volume?.id}`)).status === 404, 'deleted');
  t.is((await client.delete(`${path}/provider`)).status, 202);
  t.is((await client.delete(`${path}/provider`)).status, 404);
  t.like((await createVolume({ volume_type: 'luks' })).volume, { encrypted: false });
});

test.serial('new volumes have the default type of their project', async (t) => {
  await createType({ name: 'a' });
  const { id } = await createType({ name: 'b' });
  const newest = client.version(62);
  t.is((await client.get('/v3/default-types')).status, 404, 'before version 3.62');
  t.is((await client.get(`${types}/default`)).status, 404);
  const set = await newest.put('/v3/default-types/p1', { default_type: { volume_type: 'b' } });
  t.deepEqual(set.body, { default_type: { project_id: 'p1', volume_type_id: id } });
  t.deepEqual((await newest.get('/v3/default-types')).body, {
    default_types: [{ project_id: 'p1', volume_type_id: id }],
  });
  t.deepEqual((await newest.get('/v3/default-types/p1')).body, set.body);
  t.is((await newest.get('/v3/default-types/p2')).status, 404);
  t.is(oneSchema.parse((await client.get(`${types}/default`)).body).volume_type.name, 'b');
  t.like((await createVolume({})).volume, { volume_type: 'b' });
  t.like((await createVolume({}, client, 'p2')).volume, { volume_type: null });
  t.like((await createVolume({ volume_type: 'a' })).volume, { volume_type: 'a' });
  t.is((await newest.put('/v3/default-types/p1', { default_type: { volume_type: 'x' } })).status, 404);
  const { id: unused } = await createType({ name: 'c' });
  await newest.put('/v3/default-types/p4', { default_type: { volume_type: unused } });
  t.is((await client.delete(`${types}/${unused}`)).status, 409);
  t.is((await newest.delete('/v3/default-types/p4')).status, 204);
  t.is((await client.delete(`${types}/${unused}`)).status, 202);

  const configured = await startApi(cluster, { default_volume_type: 'a' });
  t.teardown(() => configured.api.stop());
  t.is(oneSchema.parse((await configured.client.get('/v3/p9/types/default')).body).volume_type.name, 'a');
  t.like((await createVolume({}, configured.client, 'p9')).volume, { volume_type: 'a' });
  t.like((await createVolume({}, configured.client, 'p1')).volume, { volume_type: 'b' });
});
