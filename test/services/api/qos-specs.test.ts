import test from 'ava';
import { z } from 'zod';
import { connectionInfo } from '../../../lib/connectors/connection-info.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiClient, startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';

let cluster: Cluster;
let store: Store;
let api: Api;
let client: ApiClient;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  ({ api, client } = await startApi(cluster));
});
test.afterEach.always(async () => {
  await api.stop();
  await cluster.close();
});

const specs = '/v3/p1/qos-specs';
const specSchema = z.object({
  id: z.string(),
  name: z.string(),
  consumer: z.string(),
  specs: z.record(z.string(), z.string()),
});
const oneSchema = z.object({ qos_specs: specSchema });
const listSchema = z.object({ qos_specs: z.array(specSchema) });
const typeSchema = z.object({ volume_type: z.looseObject({ id: z.string(), qos_specs_id: z.string().nullable() }) });

async function create(more: object) {
  const answer = await client.post(specs, { qos_specs: more });
  return { status: answer.status, ...(answer.status === 200 ? oneSchema.parse(answer.body).qos_specs : { id: '' }) };
}

async function createType(name: string): Promise<string> {
  const answer = await client.post('/v3/p1/types', { volume_type: { name } });
  return typeSchema.parse(answer.body).volume_type.id;
}

async function attached(type: string) {
  const commands = await cluster.commands();
  const volume = await commands.create({ size: 1, userId: 'u', projectId: 'p1', type }, { deadlineMs: 60_000 });
  await commands.attach(volume.id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, { deadlineMs: 60_000 });
  return volumesOf(store).lookup(volume.id);
}

test.serial('a QoS spec is made, listed, changed and deleted', async (t) => {
  const given = { consumer: 'both', read_iops_sec: '500', write_iops_sec: 500 };
  const { id, status, ...spec } = await create({ name: 'slow', ...given });
  t.is(status, 200);
  t.like(spec, { name: 'slow', consumer: 'both', specs: { read_iops_sec: '500', write_iops_sec: '500' } });
  t.is((await create({ name: 'slow' })).status, 409);
  t.like(await create({ name: 'default' }), { status: 200, consumer: 'back-end' });
  t.deepEqual(
    listSchema.parse((await client.get(`${specs}?sort=name:asc`)).body).qos_specs.map(({ name }) => name),
    ['default', 'slow'],
  );
  const changes = { consumer: 'front-end', total_bytes_sec: '1000000' };
  t.deepEqual((await client.put(`${specs}/${id}`, { qos_specs: changes })).body, { qos_specs: changes });
  t.is((await client.put(`${specs}/${id}/delete_keys`, { keys: ['read_iops_sec'] })).status, 202);
  t.is((await client.put(`${specs}/${id}/delete_keys`, { keys: ['read_iops_sec'] })).status, 400);
  t.like(oneSchema.parse((await client.get(`${specs}/${id}`)).body).qos_specs, {
    consumer: 'front-end',
    specs: { write_iops_sec: '500', total_bytes_sec: '1000000' },
  });
  t.is((await client.delete(`${specs}/${id}?force=False`)).status, 202);
  t.is((await client.get(`${specs}/${id}`)).status, 404);
  t.is((await client.get(`${specs}/x`)).status, 404);
});

test.serial('what the storage does not enforce is refused where it is to', async (t) => {
  for (const wrong of [
    { total_iops_sec: '500' },
    { read_iops_sec: '500' },
    { read_iops_sec: '500', write_iops_sec: '400' },
    { read_bytes_sec: 'much', write_bytes_sec: 'much' },
    { consumer: 'nobody' },
  ]) {
    t.is((await create({ name: 'a', ...wrong })).status, 400, JSON.stringify(wrong));
  }
  const { id } = await create({ name: 'a', consumer: 'front-end', total_iops_sec: '500' });
  t.is((await client.put(`${specs}/${id}`, { qos_specs: { consumer: 'both' } })).status, 400);
});

test.serial('volumes of a type have the limits of its spec', async (t) => {
  const { id } = await create({ name: 'slow', read_iops_sec: '500', write_iops_sec: '500' });
  const { id: other } = await create({ name: 'hosts', consumer: 'front-end', total_bytes_sec: '1000' });
  const type = await createType('a');
  const change = (spec: string, verb: string) => client.get(`${specs}/${spec}/${verb}?vol_type_id=${type}`);
  const shown = async () => typeSchema.parse((await client.get(`/v3/p1/types/${type}`)).body).volume_type.qos_specs_id;
  t.is((await client.get(`${specs}/${id}/associate`)).status, 400);
  t.is((await change(id, 'associate')).status, 202);
  t.is((await change(id, 'associate')).status, 202);
  t.is((await change(other, 'associate')).status, 409);
  t.is(await shown(), id);
  t.deepEqual((await client.get(`${specs}/${id}/associations`)).body, {
    qos_associations: [{ association_type: 'volume_type', name: 'a', id: type }],
  });
  t.like((await attached(type)).limits, { iops: 500, bytesPerSecond: undefined });

  t.is((await client.delete(`${specs}/${id}`)).status, 409);
  t.is((await change(id, 'disassociate')).status, 202);
  t.is(await shown(), null);
  t.is((await change(other, 'associate')).status, 202);
  const volume = await attached(type);
  t.deepEqual(volume.limits, { iops: undefined, bytesPerSecond: undefined, ofHost: { total_bytes_sec: '1000' } });
  const info = connectionInfo({ ...volume, address: 'e1.1' }, { mode: 'rw', endpoint: '' });
  t.deepEqual(info?.data['qos_specs'], { total_bytes_sec: '1000' });
  t.is((await client.get(`${specs}/${other}/disassociate_all`)).status, 202);
  t.is(await shown(), null);
  await change(other, 'associate');
  t.is((await client.delete(`${specs}/${other}?force=True`)).status, 202);
  t.is(await shown(), null);
});
