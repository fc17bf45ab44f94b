import { randomUUID } from 'node:crypto';
import test from 'ava';
import { z } from 'zod';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { errors } from '../../../lib/errors.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget, OwnAddressTarget } from '../../support/fake-target.ts';

const deadline = { deadlineMs: 60_000 };
const path = '/v3/p1/attachments';
const instance = '5e5c0d3f-3c55-4b8e-9b9d-2f4a1f6f0a01';
const otherInstance = '5e5c0d3f-3c55-4b8e-9b9d-2f4a1f6f0a02';
/** As os-brick 6.1 makes it. */
const host = {
  platform: 'x86_64',
  os_type: 'linux',
  ip: '192.0.2.5',
  host: 'h1',
  multipath: false,
  initiator: 'iqn.1993-08.org.debian:01:abc',
  nqn: 'nqn.2014-08.org.nvmexpress:uuid:5e5c0d3f-3c55-4b8e-9b9d-2f4a1f6f0a05',
  do_local_attach: false,
  uuid: '5e5c0d3f-3c55-4b8e-9b9d-2f4a1f6f0a06',
  'system uuid': 'x',
  nvme_native_multipath: false,
  wwpns: ['50014380186b3f65'],
  mountpoint: '/dev/vdb',
};
const otherHost = { ...host, host: 'h2', initiator: 'iqn.1993-08.org.debian:01:def' };

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
let commands: VolumeCommands;
let iscsi: OwnAddressTarget;
let aoe: FakeTarget;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  iscsi = new OwnAddressTarget();
  aoe = new FakeTarget();
  const backends = [{ name: 'iscsi', target: iscsi }, { name: 'aoe', target: aoe }, { name: 'none' }];
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600', num_shell_tries: '1' }, backends);
  const started = await startApi(cluster);
  api = started.api;
  client = started.client.version(70);
  roles = await startApiWithRoles(cluster);
  commands = await cluster.commands();
});
test.afterEach.always(async () => {
  await api.stop();
  await roles.close();
  await cluster.close();
});

const summarySchema = z.strictObject({
  id: z.string(),
  status: z.string(),
  instance: z.string().nullable(),
  volume_id: z.string(),
});
const viewSchema = summarySchema.extend({
  attach_mode: z.string(),
  attached_at: z.string(),
  detached_at: z.string(),
  connection_info: z.record(z.string(), z.unknown()),
});
const oneSchema = z.object({ attachment: viewSchema });
const listSchema = z.object({
  attachments: z.array(z.looseObject({ id: z.string(), status: z.string() })),
  attachments_links: z.array(z.object({ href: z.string() })).default([]),
  count: z.int().optional(),
});
const errorSchema = z.record(z.string(), z.object({ message: z.string() }));
const volumeSchema = z.object({
  volume: z.looseObject({ status: z.string(), multiattach: z.boolean(), attachments: z.array(z.unknown()) }),
});

async function volume(backend = 'iscsi', more: object = {}): Promise<string> {
  return (await commands.create({ size: 1, userId: 'u', projectId: 'p1', node: `n1@${backend}`, ...more }, deadline))
    .id;
}

function create(id: string, more: object = {}, from = client): Promise<ApiAnswer> {
  return from.post(path, { attachment: { volume_uuid: id, instance_uuid: instance, ...more } });
}

async function made(answer: Promise<ApiAnswer>) {
  const { status, body } = await answer;
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return oneSchema.parse(body).attachment;
}

async function shown(id: string, from = client) {
  return made(from.get(`${path}/${id}`));
}

async function stateOf(id: string) {
  return volumeSchema.parse((await client.get(`/v3/p1/volumes/${id}`)).body).volume;
}

function complete(id: string, from = client): Promise<ApiAnswer> {
  return from.post(`${path}/${id}/action`, { 'os-complete': null });
}

function messageOf({ body }: ApiAnswer): string {
  return Object.values(errorSchema.parse(body))[0]?.message ?? '';
}

async function idsOf(query: string, from = client): Promise<string[]> {
  return listSchema.parse((await from.get(`${path}${query}`)).body).attachments.map(({ id }) => id);
}

test.serial('a volume is kept, its host is admitted and completes, and the attachment is deleted', async (t) => {
  const id = await volume();
  const kept = await made(create(id, { connector: {} }));
  t.like(kept, {
    status: 'reserved',
    instance,
    volume_id: id,
    attach_mode: 'rw',
    attached_at: '',
    connection_info: {},
  });
  t.is((await stateOf(id)).status, 'reserved');
  t.is((await complete(kept.id)).status, 409);

  const updated = await made(client.put(`${path}/${kept.id}`, { attachment: { connector: host } }));
  t.like(updated, { id: kept.id, status: 'attaching' });
  t.deepEqual(updated.connection_info, {
    driver_volume_type: 'iscsi',
    attachment_id: kept.id,
    volume_id: id,
    access_mode: 'rw',
    encrypted: false,
    qos_specs: null,
    target_discovered: false,
    target_portal: '192.0.2.1:3260',
    target_iqn: `iqn.2010-10.org.openstack:volume-${id}`,
    target_lun: 1,
    auth_method: 'CHAP',
    auth_username: iscsi.exports.get(id)?.chap?.user,
    auth_password: iscsi.exports.get(id)?.chap?.secret,
  });
  t.deepEqual(iscsi.exports.get(id)?.hosts, [host.initiator]);
  t.deepEqual(await made(client.put(`${path}/${kept.id}`, { attachment: { connector: host } })), updated);
  t.is((await client.put(`${path}/${kept.id}`, { attachment: { connector: otherHost } })).status, 409);

  t.is((await complete(kept.id)).status, 204);
  t.is((await complete(kept.id)).status, 204);
  t.like(await shown(kept.id), { status: 'attached' });
  t.like(await stateOf(id), {
    status: 'in-use',
    attachments: [{ attachment_id: kept.id, server_id: instance, host_name: 'h1', device: '/dev/vdb' }],
  });
  const deleted = await client.delete(`${path}/${kept.id}`);
  t.deepEqual([deleted.status, deleted.body], [200, { attachments: [] }]);
  t.is((await client.get(`${path}/${kept.id}`)).status, 404);
  t.false(iscsi.exports.has(id));
  t.is((await stateOf(id)).status, 'available');
});

test.serial('with a connector the host is admitted at once; where it cannot be, nothing is left', async (t) => {
  const id = await volume();
  const { initiator: _, ...without } = host;
  const refused = await create(id, { connector: without });
  t.is(refused.status, 400);
  t.regex(messageOf(refused), /^connector\.initiator: must be given, as volume \S+ is reached by iscsi;/);
  t.is((await create(id, { connector: { ...host, initiator: 'a,b' } })).status, 400);
  t.is((await create(id, { connector: { ...host, mountpoint: 'vdb' } })).status, 400);
  t.is((await stateOf(id)).status, 'available');
  iscsi.exportFault = errors.invalidArgument('export', id, 'one that can be made');
  t.is((await create(id, { connector: host })).status, 400);
  t.deepEqual(await idsOf(''), []);
  iscsi.exportFault = undefined;
  const attachment = await made(create(id, { connector: host }));
  t.like(attachment, { status: 'attaching', connection_info: { driver_volume_type: 'iscsi' } });

  const overEthernet = await volume('aoe');
  const noAddress = await create(overEthernet, { connector: host });
  t.is(noAddress.status, 400);
  t.regex(messageOf(noAddress), /^connector\.mac_addresses: must be given/);
  const connector = { ...host, mac_addresses: ['52-54-00-00-00-01'] };
  const { connection_info: info } = await made(create(overEthernet, { connector, instance_uuid: null }));
  t.is(info['driver_volume_type'], 'aoe');
  t.deepEqual(aoe.exports.get(overEthernet)?.hosts, ['52:54:00:00:00:01']);
  t.deepEqual((await made(create(await volume('none'), { connector: host }))).connection_info, {});
});

test.serial('who reserves first has the volume; the others are refused, and nothing of them is left', async (t) => {
  const id = await volume();
  const one = host;
  const two = otherHost;
  for (const connectors of [
    [{}, {}],
    [one, two],
    [one, one],
  ]) {
    const answers = await Promise.all(
      connectors.map((connector, at) => create(id, { connector, instance_uuid: [instance, otherInstance][at] })),
    );
    t.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 409],
    );
    const [left, ...more] = await idsOf('');
    t.deepEqual(more, []);
    t.is((await client.delete(`${path}/${left}`)).status, 200);
    t.is((await stateOf(id)).status, 'available');
  }
});

test.serial('a request that is sent twice with the same key makes one attachment', async (t) => {
  const id = await volume();
  const twice = client.with({ 'Idempotency-Key': 'k' });
  const [one, other] = await Promise.all([
    made(create(id, { connector: host }, twice)),
    made(create(id, { connector: host }, twice)),
  ]);
  t.is(one.id, other.id);
  t.is((await create(id, { connector: otherHost }, twice)).status, 409);
  t.deepEqual((await shown(one.id)).connection_info, one.connection_info);
  t.deepEqual(await idsOf(''), [one.id]);
});

test.serial('delete beside admission leaves either an attachment or none', async (t) => {
  const id = await volume();
  for (let round = 0; round < 5; round += 1) {
    const kept = await made(create(id));
    const [updated, deleted] = await Promise.all([
      client.put(`${path}/${kept.id}`, { attachment: { connector: host } }),
      client.delete(`${path}/${kept.id}`),
    ]);
    const ended = deleted.status === 200;
    t.true(ended || updated.status === 200, `${updated.status} ${deleted.status}`);
    if (!ended) t.is((await client.delete(`${path}/${kept.id}`)).status, 200);
    t.deepEqual([await idsOf(''), (await stateOf(id)).status, iscsi.exports.has(id)], [[], 'available', false]);
  }
});

test.serial(
  'an attachment that an instance uses is ended by the service that runs it, not by its project',
  async (t) => {
    const member = roles.as('p1', 'member').version(70);
    const withService = member.with({ 'x-service-token': 'nova:service:service' });
    const id = await volume();
    const kept = await made(create(id, {}, member));
    t.is((await member.delete(`${path}/${kept.id}`)).status, 200);

    const used = await made(create(id, { connector: host }, member));
    t.is((await complete(used.id, member)).status, 204);
    const refused = await member.delete(`${path}/${used.id}`);
    t.is(refused.status, 409);
    t.regex(messageOf(refused), new RegExp(`${instance} uses volume ${id}; detach the volume from it by the service`));
    t.is((await member.with({ 'x-service-token': 'u:p1:member' }).delete(`${path}/${used.id}`)).status, 409);
    t.is((await member.with({ 'x-service-token': 'forged' }).delete(`${path}/${used.id}`)).status, 401);
    t.like(await shown(used.id), { status: 'attached' });
    t.is((await withService.delete(`${path}/${used.id}`)).status, 200);

    const ofHost = await made(create(id, { connector: host, instance_uuid: null }, member));
    t.is((await complete(ofHost.id, member)).status, 204);
    t.is((await member.delete(`${path}/${ofHost.id}`)).status, 200);
    t.is((await stateOf(id)).status, 'available');
  },
);

test.serial('secrets are shown to those who may attach, and other projects see nothing', async (t) => {
  const id = await volume();
  const attachment = await made(create(id, { connector: host }));
  const reader = roles.as('p1', 'reader').version(70);
  const secret = String(attachment.connection_info['auth_password']);
  t.regex(secret, /^\w{16}$/);
  for (const query of [`/${attachment.id}`, '/detail']) {
    t.false(JSON.stringify((await reader.get(`${path}${query}`)).body).includes(secret), query);
    t.true(JSON.stringify((await roles.as('p1', 'member').version(70).get(`${path}${query}`)).body).includes(secret));
  }
  t.is((await shown(attachment.id, reader)).connection_info['target_lun'], 1);
  t.is((await reader.delete(`${path}/${attachment.id}`)).status, 403);
  t.is((await create(id, {}, reader)).status, 403);

  const stranger = roles.as('p2', 'member').version(70);
  const foreign = `/v3/p2/attachments/${attachment.id}`;
  for (const answer of [
    stranger.get(foreign),
    stranger.delete(foreign),
    stranger.put(foreign, { attachment: { connector: host } }),
    stranger.post(`${foreign}/action`, { 'os-complete': null }),
    stranger.post('/v3/p2/attachments', { attachment: { volume_uuid: id } }),
    stranger.get(`/v3/p2/attachments/${randomUUID()}`),
  ]) {
    t.is((await answer).status, 404);
  }
  const listed = await stranger.get(`/v3/p2/attachments?volume_id=${id}`);
  t.deepEqual(listSchema.parse(listed.body).attachments, []);
});

test.serial('attachments are listed in pages, with filters', async (t) => {
  const made3: string[] = [];
  const volumes = [await volume(), await volume(), await volume()];
  for (const id of volumes) made3.push((await made(create(id))).id);
  const [a = '', b = '', c = ''] = made3;
  await made(client.put(`${path}/${b}`, { attachment: { connector: host } }));
  t.deepEqual(await idsOf(''), [c, b, a]);
  t.deepEqual(await idsOf('?sort=created_at:asc'), [a, b, c]);
  t.deepEqual(await idsOf('?status=attaching'), [b]);
  t.deepEqual(await idsOf(`?attach_status=reserved&instance_id=${instance}`), [c, a]);
  t.deepEqual(await idsOf(`?volume_id=${volumes[0]}`), [a]);
  t.deepEqual(await idsOf('?volume_id=x'), []);
  t.deepEqual(await idsOf('?all_tenants=1&project_id=p2'), []);
  t.deepEqual(await idsOf('?all_tenants=True&project_id=p1&limit=1'), [c]);
  const page = listSchema.parse((await client.get(`${path}/detail?limit=2&with_count=True`)).body);
  t.is(page.count, 3);
  const [link] = page.attachments_links;
  t.deepEqual(await idsOf(link?.href.split('/attachments')[1] ?? ''), [a]);
  t.is((await client.get(`${path}?marker=${randomUUID()}`)).status, 404);
});

test.serial('several hosts attach a volume that is multiattach, with one mode', async (t) => {
  const id = await volume('iscsi', { isMultiattach: true });
  t.true((await stateOf(id)).multiattach);
  const [one, two] = await Promise.all([
    made(create(id, { connector: host })),
    made(create(id, { connector: otherHost, instance_uuid: otherInstance })),
  ]);
  t.deepEqual(iscsi.exports.get(id)?.hosts.toSorted(), [host.initiator, otherHost.initiator]);
  t.is((await create(id, { connector: host })).status, 409);
  const third = { connector: { ...host, host: 'h3', initiator: 'iqn.1993-08.org.debian:01:ghi' } };
  t.is((await create(id, { ...third, mode: 'ro', instance_uuid: randomUUID() })).status, 409);
  const deleted = await client.delete(`${path}/${one.id}`);
  t.deepEqual(deleted.body, {
    attachments: [{ id: two.id, status: 'attaching', instance: otherInstance, volume_id: id }],
  });
  t.deepEqual(iscsi.exports.get(id)?.hosts, [otherHost.initiator]);
  t.false((await stateOf(await volume())).multiattach);
});

test.serial('a host that has a volume for two instances keeps it until the last one is ended', async (t) => {
  const id = await volume('iscsi', { isMultiattach: true });
  const one = await made(create(id, { connector: host }));
  const two = await made(create(id, { connector: host, instance_uuid: otherInstance }));
  t.not(one.id, two.id);
  t.deepEqual(two.connection_info, { ...one.connection_info, attachment_id: two.id });
  t.is((await client.delete(`${path}/${one.id}`)).status, 200);
  t.deepEqual(iscsi.exports.get(id)?.hosts, [host.initiator]);
  t.is((await client.delete(`${path}/${two.id}`)).status, 200);
  t.false(iscsi.exports.has(id));
});

test.serial('a mode is given from 3.54 on; a volume that is read-only is attached so', async (t) => {
  const id = await volume();
  t.is((await create(id, { mode: 'ro' }, client.version(53))).status, 400);
  t.is((await create(id, { mode: 'w' })).status, 400);
  const readOnly = await made(create(id, { mode: 'ro', connector: host }));
  t.like(readOnly, { attach_mode: 'ro', connection_info: { access_mode: 'ro' } });
  t.true(iscsi.exports.get(id)?.readOnly);
  t.is((await client.delete(`${path}/${readOnly.id}`)).status, 200);
  await commands.update(id, { isReadOnly: true });
  t.is((await create(id, { mode: 'rw', connector: host })).status, 409);
  t.deepEqual(await idsOf(''), []);
  t.like(await made(create(id, { mode: 'null', connector: host })), { attach_mode: 'ro' });
});

test.serial('calls exist from their versions on', async (t) => {
  const id = await volume();
  t.is((await client.version(26).get(path)).status, 404);
  t.is((await create(id, {}, client.version(26))).status, 404);
  const { id: attachment } = await made(create(id, {}, client.version(27)));
  t.is((await complete(attachment, client.version(43))).status, 404);
  t.is((await client.post(`${path}/${attachment}/action`, { 'os-other': null })).status, 400);
  t.is((await client.put(`${path}/${attachment}`, { attachment: {} })).status, 400);
  t.is((await create(randomUUID())).status, 404);
  t.is((await create('x')).status, 400);
});
