import test from 'ava';
import { z } from 'zod';
import type { Api } from '../../../services/api/api.ts';
import { type ApiClient, object, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  ({ api, client } = await startApi(cluster));
  roles = await startApiWithRoles(cluster);
});
test.afterEach.always(async () => {
  await api.stop();
  await roles.close();
  await cluster.close();
});

const setSchema = z.object({ quota_set: z.looseObject({ volumes: z.int(), gigabytes: z.int(), snapshots: z.int() }) });
const classSchema = z.object({ quota_class_set: z.looseObject({ volumes: z.int() }) });
const entry = z.object({ limit: z.int(), in_use: z.int(), reserved: z.int(), allocated: z.int() });
const usageSchema = z.object({ quota_set: z.looseObject({ volumes: entry, gigabytes: entry, backups: entry }) });
const limitsSchema = z.object({
  limits: z.object({ rate: z.array(z.never()), absolute: z.record(z.string(), z.int()) }),
});

const sets = '/v3/p1/os-quota-sets';
const quotaOf = async (project: string, more = '') =>
  setSchema.parse((await client.get(`${sets}/${project}${more}`)).body).quota_set;

test.serial('a project has the limits of every project until it gets its own', async (t) => {
  t.like(await quotaOf('p2'), { volumes: -1, gigabytes: -1, snapshots: -1, per_volume_gigabytes: 1000, groups: -1 });
  const classes = '/v3/p1/os-quota-class-sets';
  const all = await client.put(`${classes}/default`, { quota_class_set: { volumes: 5, gigabytes: 100 } });
  t.like(classSchema.parse(all.body).quota_class_set, { volumes: 5, gigabytes: 100, snapshots: -1 });
  t.like(classSchema.parse((await client.get(`${classes}/default`)).body).quota_class_set, { volumes: 5 });
  t.is((await client.put(`${classes}/gold`, { quota_class_set: { volumes: 5 } })).status, 400);
  t.like(await quotaOf('p2'), { volumes: 5 });

  const own = { tenant_id: 'p2', volumes: '1', snapshots: -1, backups: -1, volumes_fast: -1 };
  const set = await client.put(`${sets}/p2`, { quota_set: own });
  t.is(set.status, 200);
  t.like(setSchema.parse(set.body).quota_set, { volumes: 1, gigabytes: 100, snapshots: -1 });
  t.like(await quotaOf('p2', '/defaults'), { volumes: 5 });
  t.is((await client.post('/v3/p2/volumes', { volume: { size: 1 } })).status, 202);
  t.is((await client.post('/v3/p2/volumes', { volume: { size: 1 } })).status, 413);
  t.is((await client.delete(`${sets}/p2`)).status, 200);
  t.is((await client.delete(`${sets}/p2`)).status, 200);
  t.like(await quotaOf('p2'), { volumes: 5 });
});

test.serial('usage is what the project has', async (t) => {
  for (const size of [1, 2]) await client.post('/v3/p2/volumes', { volume: { size } });
  await client.put(`${sets}/p2`, { quota_set: { gigabytes: 10 } });
  const { quota_set: usage } = usageSchema.parse((await client.get(`${sets}/p2?usage=True`)).body);
  t.like(usage, { volumes: { limit: -1, in_use: 2 }, gigabytes: { limit: 10, in_use: 3 }, backups: { limit: -1 } });
  const path = `${sets}/p2?skip_validation=False`;
  t.is((await client.put(path, { quota_set: { gigabytes: 2 } })).status, 400);
  t.is((await client.put(path, { quota_set: { gigabytes: 3 } })).status, 200);
  t.is((await client.put(`${sets}/p2`, { quota_set: { gigabytes: 2 } })).status, 200, 'what it has stays');

  const { limits } = limitsSchema.parse((await client.get('/v3/p2/limits')).body);
  t.like(limits.absolute, {
    maxTotalVolumes: -1,
    maxTotalVolumeGigabytes: 2,
    totalVolumesUsed: 2,
    totalGigabytesUsed: 3,
    totalSnapshotsUsed: 0,
  });
  const ofOther = limitsSchema.parse((await client.get('/v3/p1/limits?project_id=p2')).body);
  t.deepEqual(ofOther.limits, limits);
});

test.serial('what cannot be limited is refused, and nothing else of the request is set', async (t) => {
  for (const wrong of [
    { volumes: -2 },
    { volumes: 'many' },
    { volumes: 1.5 },
    { backups: 5 },
    { per_volume_gigabytes: 5 },
    { volumes_fast: 5 },
    { colour: 5 },
  ]) {
    const answer = await client.put(`${sets}/p2`, { quota_set: { snapshots: 1, ...wrong } });
    t.is(answer.status, 400, JSON.stringify(wrong));
  }
  t.is((await client.put(`${sets}/%2A`, { quota_set: { volumes: 1 } })).status, 400);
  t.like(await quotaOf('p2'), { snapshots: -1, volumes: -1 });
});

test.serial('a project sees its own quota alone, and does not set it', async (t) => {
  const reader = roles.as('p2', 'reader');
  t.is((await reader.get('/v3/p2/os-quota-sets/p2?usage=True')).status, 200);
  t.is((await reader.get('/v3/p2/os-quota-sets/p2/defaults')).status, 200);
  t.is((await reader.get('/v3/p2/os-quota-sets/p3')).status, 403);
  t.is((await reader.get('/v3/p2/limits')).status, 200);
  t.is((await reader.get('/v3/p2/limits?tenant_id=p3')).status, 403);
  const member = roles.as('p2', 'member');
  t.is((await member.put('/v3/p2/os-quota-sets/p2', { quota_set: { volumes: 1 } })).status, 403);
  t.is((await member.delete('/v3/p2/os-quota-sets/p2')).status, 403);
  t.is((await member.get('/v3/p2/os-quota-class-sets/default')).status, 403);
});

test.serial('a summary counts the volumes of the project, and has their metadata', async (t) => {
  for (const [size, tier] of [
    [1, 'gold'],
    [2, 'tin'],
    [3, 'tin'],
  ] as const) {
    await client.post('/v3/p2/volumes', { volume: { size, metadata: { tier } } });
  }
  await client.post('/v3/p3/volumes', { volume: { size: 4 } });
  const summary = async (version: number, path: string) =>
    object.parse((await client.version(version).get(path)).body)['volume-summary'];
  t.is((await client.version(11).get('/v3/p2/volumes/summary')).status, 404);
  t.deepEqual(await summary(12, '/v3/p2/volumes/summary'), { total_count: 3, total_size: 6 });
  t.like(object.parse(await summary(36, '/v3/p2/volumes/summary?all_tenants=True')), {
    total_count: 4,
    total_size: 10,
  });
  const { metadata } = z
    .object({ metadata: z.object({ tier: z.array(z.string()) }) })
    .parse(await summary(70, '/v3/p2/volumes/summary'));
  t.deepEqual(metadata.tier.toSorted(), ['gold', 'tin']);
});
