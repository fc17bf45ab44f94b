import { randomUUID } from 'node:crypto';
import test from 'ava';
import { z } from 'zod';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget, OwnAddressTarget } from '../../support/fake-target.ts';
import { usesOf } from '../../support/attachments.ts';

const deadline = { deadlineMs: 60_000 };
const instance = '5e5c0d3f-3c55-4b8e-9b9d-2f4a1f6f0a01';
const connector = {
  platform: 'x86_64',
  os_type: 'linux',
  ip: '192.0.2.5',
  host: 'h1',
  multipath: false,
  initiator: 'iqn.1993-08.org.debian:01:abc',
  do_local_attach: false,
};
const other = { ...connector, host: 'h2', initiator: 'iqn.1993-08.org.debian:01:def' };

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
let commands: VolumeCommands;
let iscsi: OwnAddressTarget;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  iscsi = new OwnAddressTarget();
  const backends = [{ name: 'iscsi', target: iscsi }, { name: 'aoe', target: new FakeTarget() }, { name: 'none' }];
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600', num_shell_tries: '1' }, backends);
  ({ api, client } = await startApi(cluster));
  roles = await startApiWithRoles(cluster);
  commands = await cluster.commands();
});
test.afterEach.always(async () => {
  await api.stop();
  await roles.close();
  await cluster.close();
});

const connectionSchema = z.object({
  connection_info: z.object({ driver_volume_type: z.string(), data: z.record(z.string(), z.unknown()) }),
});
const volumeSchema = z.object({
  volume: z.looseObject({ status: z.string(), attachments: z.array(z.looseObject({ attachment_id: z.string() })) }),
});
const errorSchema = z.record(z.string(), z.object({ message: z.string() }));

async function volume(backend = 'iscsi', more: object = {}): Promise<string> {
  return (await commands.create({ size: 1, userId: 'u', projectId: 'p1', node: `n1@${backend}`, ...more }, deadline))
    .id;
}

/** Returns the HTTP status. */
async function act(id: string, action: string, body: unknown = null, from = client): Promise<number> {
  return (await send(id, action, body, from)).status;
}

function send(id: string, action: string, body: unknown = null, from = client): Promise<ApiAnswer> {
  return from.post(`/v3/p1/volumes/${id}/action`, { [action]: body });
}

async function connect(id: string, given: object = connector, from = client) {
  const { status, body } = await send(id, 'os-initialize_connection', { connector: given }, from);
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return connectionSchema.parse(body).connection_info;
}

async function stateOf(id: string) {
  return volumeSchema.parse((await client.get(`/v3/p1/volumes/${id}`)).body).volume;
}

async function statusOf(id: string): Promise<string> {
  return (await stateOf(id)).status;
}

function messageOf({ body }: ApiAnswer): string {
  return Object.values(errorSchema.parse(body))[0]?.message ?? '';
}

/** Returns the HTTP statuses of three requests at once, the lowest first. */
async function winners(id: string, action: string): Promise<number[]> {
  const statuses = await Promise.all([act(id, action), act(id, action), act(id, action)]);
  return statuses.toSorted((one, two) => one - two);
}

test.serial('a volume is reserved, connected, attached, disconnected and detached', async (t) => {
  const id = await volume();
  t.is(await act(id, 'os-reserve'), 202);
  t.is(await statusOf(id), 'attaching');
  t.is(await act(id, 'os-reserve'), 409);
  t.deepEqual(await connect(id), {
    driver_volume_type: 'iscsi',
    data: {
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
    },
  });
  t.deepEqual(iscsi.exports.get(id)?.hosts, [connector.initiator]);
  t.deepEqual(await connect(id), await connect(id));
  const attach = { instance_uuid: instance, mountpoint: '/dev/vdb', mode: 'rw', host_name: 'h1' };
  t.is(await act(id, 'os-attach', attach), 202);
  t.like(await stateOf(id), {
    status: 'in-use',
    attachments: [{ server_id: instance, device: '/dev/vdb', host_name: 'h1' }],
  });
  t.is(await act(id, 'os-attach', attach), 202);

  t.is(await act(id, 'os-begin_detaching'), 202);
  t.is(await statusOf(id), 'detaching');
  t.is(await act(id, 'os-roll_detaching'), 202);
  t.is(await statusOf(id), 'in-use');
  t.is(await act(id, 'os-begin_detaching'), 202);
  t.is(await act(id, 'os-terminate_connection', { connector: other }), 202);
  t.true(iscsi.exports.has(id));
  t.is(await act(id, 'os-terminate_connection', { connector }), 202);
  t.false(iscsi.exports.has(id));
  t.is(await act(id, 'os-terminate_connection', { connector }), 202);
  t.is(await act(id, 'os-detach', {}), 202);
  t.like(await stateOf(id), { status: 'available', attachments: [] });
  t.is(await act(id, 'os-detach'), 409);
});

test.serial('a reservation is taken back, also after a host was admitted', async (t) => {
  const id = await volume();
  for (const isConnected of [false, true]) {
    t.is(await act(id, 'os-reserve'), 202);
    if (isConnected) await connect(id);
    t.is(await act(id, 'os-unreserve'), 202);
    t.deepEqual([await statusOf(id), iscsi.exports.has(id)], ['available', false]);
  }
  t.is(await act(id, 'os-unreserve'), 202);
  t.is(await act(id, 'os-roll_detaching'), 202);
});

test.serial('a connector without what the target needs is refused, and nothing is kept for it', async (t) => {
  const [overIscsi, overAoe, nowhere] = [await volume(), await volume('aoe'), await volume('none')];
  const { initiator: _, ...without } = connector;
  for (const [id, given, problem] of [
    [overIscsi, without, /^connector\.initiator: must be given/],
    [overIscsi, { ...connector, initiator: '' }, /^connector\.initiator: must be given/],
    [overIscsi, { ...connector, initiator: 'iqn.x\n' }, /initiator name/],
    [overAoe, connector, /^connector\.mac_addresses: must be given/],
    [overAoe, { ...connector, mac_addresses: ['ff:ff:ff:ff:ff:ff'] }, /Ethernet address/],
    [nowhere, connector, /is exported to no host/],
  ] as const) {
    const answer = await send(id, 'os-initialize_connection', { connector: given });
    t.is(answer.status, 400);
    t.regex(messageOf(answer), problem);
    t.is(await statusOf(id), 'available');
  }
  t.is(await act(overIscsi, 'os-initialize_connection', { connector: 'x' }), 400);
  t.is(await act(overIscsi, 'os-initialize_connection'), 400);
  const { driver_volume_type: type } = await connect(overAoe, { host: 'h', mac_addresses: ['525400000001'] });
  t.is(type, 'aoe');
});

test.serial('a volume that nobody connected is attached and detached at once, also by its project', async (t) => {
  const member = roles.as('p1', 'member');
  const id = await volume('none');
  t.is(await act(id, 'os-attach', { instance_uuid: 'i-1', mountpoint: '/dev/vdb', host_name: '' }, member), 202);
  t.like(await stateOf(id), { status: 'in-use', attachments: [{ server_id: 'i-1', host_name: null }] });
  const again = { instance_uuid: 'i-2', mountpoint: '/dev/vdb' };
  t.is(await act(id, 'os-attach', again, member), 409);
  t.is(await act(id, 'os-attach', { instance_uuid: 'i-1' }, member), 400);
  t.is(await act(id, 'os-detach', { attachment_id: randomUUID() }, member), 404);
  const [use] = (await stateOf(id)).attachments;
  t.is(await act(id, 'os-detach', { attachment_id: use?.attachment_id }, member), 202);
  t.is(await statusOf(id), 'available');
});

test.serial('an attachment that an instance uses is ended by the service that runs it, or by force', async (t) => {
  const member = roles.as('p1', 'member');
  const nova = member.with({ 'x-service-token': 'nova:service:service' });
  const id = await volume();
  const begin = async () => {
    t.is(await act(id, 'os-reserve', null, member), 202);
    await connect(id, connector, member);
    t.is(await act(id, 'os-attach', { instance_uuid: instance, mountpoint: '/dev/vdb' }, member), 202);
  };
  await begin();
  const refused = await send(id, 'os-detach', {}, member);
  t.is(refused.status, 409);
  t.regex(messageOf(refused), /uses volume/);
  t.is(await act(id, 'os-terminate_connection', { connector }, member), 409);
  t.is(await act(id, 'os-force_detach', {}, member), 403);
  t.true(iscsi.exports.has(id));
  t.is(await act(id, 'os-terminate_connection', { connector }, nova), 202);
  // Its host has let it go.
  t.is(await act(id, 'os-detach', {}, member), 202);
  t.is(await statusOf(id), 'available');

  await begin();
  t.is(await act(id, 'os-begin_detaching'), 202);
  t.is(await act(id, 'os-force_detach', { attachment_id: null, connector: null }), 202);
  t.is(await statusOf(id), 'available');
  t.is(await act(id, 'os-force_detach', {}), 409);
  const store = await cluster.store();
  await begin();
  const [use] = await usesOf(store, id);
  await store.redis.del(store.keys.attachment(use?.id ?? ''));
  t.is(await act(id, 'os-detach', {}), 409);
  t.is(await act(id, 'os-force_detach', { attachment_id: use?.id }), 202);
  t.is(await statusOf(id), 'available');
});

test.serial('a host without an instance is disconnected and detached by its project', async (t) => {
  const member = roles.as('p1', 'member');
  const id = await volume();
  t.is(await act(id, 'os-reserve', null, member), 202);
  await connect(id, connector, member);
  t.is(await act(id, 'os-attach', { host_name: 'h1', mountpoint: '/dev/sda', mode: 'rw' }, member), 202);
  t.is(await act(id, 'os-begin_detaching', null, member), 202);
  t.is(await act(id, 'os-terminate_connection', { connector }, member), 202);
  t.is(await act(id, 'os-detach', null, member), 202);
  t.is(await statusOf(id), 'available');
});

test.serial('of clients that begin at once one succeeds', async (t) => {
  const id = await volume();
  t.deepEqual(await winners(id, 'os-reserve'), [202, 409, 409]);
  const [one, two] = await Promise.all([
    send(id, 'os-initialize_connection', { connector }),
    send(id, 'os-initialize_connection', { connector: other }),
  ]);
  t.deepEqual(
    [one.status, two.status].toSorted((a, b) => a - b),
    [200, 409],
  );
  t.is(iscsi.exports.get(id)?.hosts.length, 1);
  t.is(await act(id, 'os-attach', { instance_uuid: instance, mountpoint: '/dev/vdb' }), 202);
  t.deepEqual(await winners(id, 'os-begin_detaching'), [202, 409, 409]);
  t.is((await winners(id, 'os-detach'))[0], 202);
  t.is(await statusOf(id), 'available');
  const [attached, deleted] = await Promise.all([
    act(id, 'os-attach', { instance_uuid: instance, mountpoint: '/dev/vdb' }),
    client.delete(`/v3/p1/volumes/${id}`),
  ]);
  t.true([202, 409, 404].includes(attached));
  t.not(attached === 202, deleted.status === 202);
});

test.serial('a volume that is read-only is connected so, and is attached in no other mode', async (t) => {
  const id = await volume();
  await commands.update(id, { isReadOnly: true });
  t.is(await act(id, 'os-attach', { instance_uuid: 'i', mountpoint: '/dev/vdb', mode: 'rw' }), 409);
  t.is((await connect(id)).data['access_mode'], 'ro');
  t.is(await act(id, 'os-attach', { instance_uuid: 'i', mountpoint: '/dev/vdb', mode: 'rw' }), 409);
  t.is(await act(id, 'os-attach', { instance_uuid: 'i', mountpoint: '/dev/vdb' }), 202);
});

test.serial('of several hosts each has an attachment, and a detach names one', async (t) => {
  const id = await volume('iscsi', { isMultiattach: true });
  for (const [given, user] of [
    [connector, instance],
    [other, randomUUID()],
  ] as const) {
    t.is(await act(id, 'os-reserve'), 202);
    await connect(id, given);
    t.is(await act(id, 'os-attach', { instance_uuid: user, mountpoint: '/dev/vdb' }), 202);
  }
  const { attachments } = await stateOf(id);
  t.is(attachments.length, 2);
  t.is(await act(id, 'os-detach', {}), 400);
  t.is(await act(id, 'os-detach', { attachment_id: attachments[0]?.attachment_id }), 202);
  t.deepEqual(iscsi.exports.get(id)?.hosts, [other.initiator]);
  t.is(await statusOf(id), 'in-use');
});

test.serial('the summary and the filter of lists know the status that clients see', async (t) => {
  const id = await volume();
  t.is(await act(id, 'os-reserve'), 202);
  const { body } = await client.get('/v3/p1/volumes?status=attaching');
  t.like(body, { volumes: [{ id }] });
  const { body: counts } = await client.get('/v3/p1/blockstore/statuses');
  t.like(counts, { statuses: { attaching: 1 } });
});
