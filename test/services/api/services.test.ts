import test from 'ava';
import { z } from 'zod';
import type { Api } from '../../../services/api/api.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { type ApiClient, object, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
let node: BlockStore;
let api: Api;
let client: ApiClient;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  const flags = { report_interval: '600', node_down_time: '3600' };
  node = await cluster.node('n1', { ...flags, storage_availability_zone: 'east' }, [{ name: 'a' }, { name: 'b' }]);
  await cluster.node('n2', { ...flags, storage_availability_zone: 'west' }, { name: 'a' });
  ({ api, client } = await startApi(cluster));
});
test.afterEach.always(async () => {
  await api.stop();
  await cluster.close();
});

const rowSchema = z.looseObject({
  binary: z.string(),
  host: z.string(),
  zone: z.string(),
  status: z.string(),
  state: z.string(),
  disabled_reason: z.string().nullable(),
});
const listSchema = z.object({
  services: z.array(rowSchema),
  services_links: z.array(z.object({ href: z.string() })).default([]),
});
const poolsSchema = z.object({
  pools: z.array(z.object({ name: z.string(), capabilities: object.optional() })),
});

async function services(more = '', from = client) {
  return listSchema.parse((await from.get(`/v3/p1/os-services${more}`)).body).services;
}

test.serial('every backend is a cinder-volume, every node a cinder-scheduler', async (t) => {
  const rows = await services();
  t.deepEqual(
    rows.map(({ binary, host, zone }) => `${binary} ${host} ${zone}`),
    [
      'cinder-scheduler n1 east',
      'cinder-volume n1@a east',
      'cinder-volume n1@b east',
      'cinder-scheduler n2 west',
      'cinder-volume n2@a west',
    ],
  );
  t.true(rows.every(({ status, state }) => status === 'enabled' && state === 'up'));
  t.deepEqual(
    (await services('?binary=cinder-volume&host=n1@b')).map(({ host }) => host),
    ['n1@b'],
  );
  t.deepEqual(await services('?host=absent'), []);
  const [, volume] = await services('', client.version(70));
  t.like(volume, { backend_state: 'up', cluster: null, replication_status: 'disabled', frozen: false });
  const page = listSchema.parse((await client.get('/v3/p1/os-services?limit=1')).body);
  t.is(page.services.length, 3);
  const [link] = page.services_links;
  const next = listSchema.parse((await client.get(link?.href.slice(client.url.length) ?? '')).body);
  t.deepEqual([next.services.length, next.services_links], [2, []]);

  await node.stop();
  await until(async () => (await services('?host=n1@a'))[0]?.state === 'down', 'it is shown as down');
});

test.serial('a disabled backend takes no volumes until it is enabled again', async (t) => {
  const body = { host: 'n1@a', binary: 'cinder-volume' };
  const change = (verb: string, more: object = {}) => client.put(`/v3/p1/os-services/${verb}`, { ...body, ...more });
  const answer = await change('disable-log-reason', { disabled_reason: 'its disks are replaced' });
  t.like(object.parse(answer.body), { ...body, status: 'disabled', disabled: true });
  t.like((await services('?host=n1@a'))[0], { status: 'disabled', disabled_reason: 'its disks are replaced' });
  t.like((await services('?host=n1@b'))[0], { status: 'enabled' });
  t.is((await change('disable', { host: 'n1@b' })).status, 200);
  t.is((await change('disable', { host: 'n2' })).status, 200, 'a whole node');
  t.is((await client.post('/v3/p1/volumes', { volume: { size: 1 } })).status, 503);
  t.is((await change('enable')).status, 200);
  t.like((await services('?host=n1@a'))[0], { status: 'enabled', disabled_reason: null });
  const made = z
    .object({ volume: z.object({ 'os-vol-host-attr:host': z.string() }) })
    .parse((await client.post('/v3/p1/volumes', { volume: { size: 1 } })).body);
  t.regex(made.volume['os-vol-host-attr:host'], /^n1@a/);

  t.is((await change('disable', { host: 'n1@c' })).status, 404);
  t.is((await change('disable', { host: 'absent@a' })).status, 404);
  t.is((await change('disable', { binary: 'cinder-scheduler' })).status, 400);
  t.is((await client.put('/v3/p1/os-services/disable', { host: 'n1@a' })).status, 400);
  t.is((await change('disable-log-reason')).status, 400);
  for (const verb of ['freeze', 'thaw', 'failover_host']) {
    t.is((await client.put(`/v3/p1/os-services/${verb}`, { host: 'n1@a' })).status, 400, verb);
  }
});

test.serial('levels of the log are shown and not set', async (t) => {
  const recent = client.version(32);
  t.is((await client.put('/v3/p1/os-services/get-log', {})).status, 404, 'before version 3.32');
  const { body } = await recent.put('/v3/p1/os-services/get-log', { binary: '*', server: '', prefix: '' });
  const { log_levels: levels } = z
    .object({ log_levels: z.array(z.object({ binary: z.string(), levels: object })) })
    .parse(body);
  t.like(levels[0], { binary: 'cinder-api', levels: { blockstore: 'INFO' } });
  t.is((await recent.put('/v3/p1/os-services/set-log', { level: 'DEBUG', binary: '*' })).status, 400);
});

test.serial('hosts, zones, pools and capabilities are those of the backends', async (t) => {
  await client.post('/v3/p2/volumes', { volume: { size: 2, availability_zone: 'west' } });
  const hosts = z.object({ hosts: z.array(z.looseObject({ host_name: z.string() })) });
  const found = hosts.parse((await client.get('/v3/p1/os-hosts?zone=east')).body).hosts;
  t.deepEqual(
    found.map(({ host_name: name }) => name),
    ['n1@a', 'n1@b'],
  );
  t.deepEqual((await client.get('/v3/p1/os-hosts/n2@a')).body, {
    host: ['(total)', 'p2'].map((project) => ({
      resource: {
        host: 'n2@a',
        project,
        volume_count: '1',
        total_volume_gb: '2',
        snapshot_count: '0',
        total_snapshot_gb: '0',
      },
    })),
  });
  t.is((await client.get('/v3/p1/os-hosts/absent')).status, 404);
  t.is((await client.get('/v3/p1/os-hosts/n2@b')).status, 404);

  t.deepEqual((await client.get('/v3/p1/os-availability-zone')).body, {
    availabilityZoneInfo: ['east', 'west'].map((zoneName) => ({ zoneName, zoneState: { available: true } })),
  });
  await client.put('/v3/p1/os-services/disable', { host: 'n2', binary: 'cinder-volume' });
  const zones = z.object({ availabilityZoneInfo: z.array(z.looseObject({ zoneState: object })) });
  const west = async () =>
    zones.parse((await client.get('/v3/p1/os-availability-zone')).body).availabilityZoneInfo.at(-1)?.zoneState;
  await until(async () => (await west())?.['available'] === false, 'nothing can be placed there');

  const pools = async (more: string) =>
    poolsSchema.parse((await client.get(`/v3/p1/scheduler-stats/get_pools${more}`)).body).pools;
  const names = await pools('');
  t.is(names.length, 3);
  t.true(names.every(({ capabilities }) => capabilities === undefined));
  const [first] = await pools(`?detail=True&name=${encodeURIComponent(names[0]?.name ?? '')}`);
  t.like(first?.capabilities, {
    volume_backend_name: 'a',
    vendor_name: 'blockstore',
    backend_state: 'up',
    replication_enabled: false,
    thin_provisioning_support: false,
  });
  await client.post('/v3/p1/types', { volume_type: { name: 'b', extra_specs: { volume_backend_name: 'b' } } });
  t.deepEqual(
    (await pools('?volume_type=b')).map(({ name }) => name.split('#', 1)[0]),
    ['n1@b'],
  );
  t.like(object.parse((await client.get('/v3/p1/capabilities/n1@b')).body), {
    namespace: 'OS::Storage::Capabilities::n1@b',
    volume_backend_name: 'b',
    replication_targets: [],
  });
  t.is((await client.get('/v3/p1/capabilities/n1@c')).status, 404);
});

test.serial('what the installation does not have is empty, absent or refused', async (t) => {
  const newest = client.version(70);
  for (const [path, key] of [
    ['consistencygroups/detail', 'consistencygroups'],
    ['cgsnapshots', 'cgsnapshots'],
    ['clusters', 'clusters'],
    ['clusters/detail', 'clusters'],
    ['messages', 'messages'],
  ] as const) {
    t.deepEqual((await newest.get(`/v3/p1/${path}`)).body, { [key]: [] }, path);
  }
  t.is((await newest.delete('/v3/p1/cgsnapshots/x')).status, 404);
  t.is((await newest.put('/v3/p1/consistencygroups/x', {})).status, 404);
  t.is((await newest.post('/v3/p1/consistencygroups', { consistencygroup: {} })).status, 400);
  t.is((await newest.get('/v3/p1/clusters/x')).status, 404);
  t.is((await client.get('/v3/p1/groups')).status, 404, 'before version 3.13');
  const cleaned = await newest.post('/v3/p1/workers/cleanup', {});
  t.deepEqual([cleaned.status, cleaned.body], [202, { cleaning: [], unavailable: [] }]);

  const extensions = z.object({ extensions: z.array(z.looseObject({ alias: z.string() })) });
  const aliases = extensions.parse((await client.get('/v3/p1/extensions')).body).extensions.map(({ alias }) => alias);
  t.true(aliases.includes('os-quota-sets'));
  t.is((await client.get('/v3/p1/extensions/backups')).status, 200);
  t.is((await client.get('/v3/p1/extensions/absent')).status, 404);
  const filters = z.object({
    resource_filters: z.array(z.object({ resource: z.string(), filters: z.array(z.string()) })),
  });
  const [ofBackups, ...others] = filters.parse(
    (await newest.get('/v3/p1/resource_filters?resource=backup')).body,
  ).resource_filters;
  t.true(ofBackups?.filters.includes('volume_id'));
  t.deepEqual(others, []);
});

test.serial('nodes and pools are for administrators, zones for everybody', async (t) => {
  const roles = await startApiWithRoles(cluster);
  t.teardown(roles.close);
  const member = roles.as('p2', 'member').version(70);
  for (const path of ['os-services', 'os-hosts', 'scheduler-stats/get_pools', 'capabilities/n1@a', 'clusters']) {
    t.is((await member.get(`/v3/p2/${path}`)).status, 403, path);
  }
  t.is((await member.put('/v3/p2/os-services/disable', { host: 'n1@a', binary: 'cinder-volume' })).status, 403);
  t.is((await member.post('/v3/p2/workers/cleanup', {})).status, 403);
  for (const path of ['os-availability-zone', 'extensions', 'resource_filters', 'groups', 'limits', 'messages']) {
    t.is((await member.get(`/v3/p2/${path}`)).status, 200, path);
  }
});
