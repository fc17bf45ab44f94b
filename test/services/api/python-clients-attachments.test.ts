import test from 'ava';
import { z } from 'zod';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { Api } from '../../../services/api/api.ts';
import { startApi } from '../../support/api.ts';
import { ComputeStandIn } from '../../support/compute-stand-in.ts';
import { Cluster } from '../../support/cluster.ts';
import { OwnAddressTarget } from '../../support/fake-target.ts';
import { type ClientEnd, PythonClients, arePythonClientsThere, fieldOf, rowsOf } from '../../support/python-clients.ts';

/** What programs do that attach volumes by the clients of Debian. */
const testWithClients = arePythonClientsThere ? test.serial : test.serial.skip;
const project = '5ad1f0c79c9e4bb5b1d0e9ea9f1bd52a';
const instance = '5e5c0d3f-3c55-4b8e-9b9d-2f4a1f6f0a01';
const initiator = 'iqn.1993-08.org.debian:01:abc';
const deadline = { deadlineMs: 60_000 };

let cluster: Cluster;
let api: Api;
let compute: ComputeStandIn;
let clients: PythonClients;
let commands: VolumeCommands;
let target: OwnAddressTarget;
test.before(async () => {
  if (!arePythonClientsThere) return;
  cluster = await Cluster.start();
  target = new OwnAddressTarget();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { target });
  const started = await startApi(cluster);
  api = started.api;
  compute = await ComputeStandIn.before(started.client.url);
  clients = new PythonClients(compute.url, project);
  commands = await cluster.commands();
});
test.after.always(async () => {
  if (!arePythonClientsThere) return;
  await clients[Symbol.asyncDispose]();
  await compute[Symbol.asyncDispose]();
  await api.stop();
  await cluster.close();
});

async function output(end: Promise<ClientEnd>): Promise<string> {
  const { succeeded, output: text, errors } = await end;
  if (!succeeded) throw new Error(`${errors}${text}`);
  return text;
}

function cinder(...words: readonly string[]): Promise<string> {
  return output(clients.cinder('--os-volume-api-version', '3.70', ...words));
}

function openstack(...words: readonly string[]): Promise<string> {
  return output(clients.openstack('--os-volume-api-version', '3.54', 'volume', 'attachment', ...words));
}

function library(method: string, ...given: readonly unknown[]): Promise<string> {
  return output(clients.library(method, ...given));
}

async function volume(name: string): Promise<string> {
  return (await commands.create({ size: 1, userId: 'u', projectId: project, name }, deadline)).id;
}

async function statusOf(name: string): Promise<string> {
  return fieldOf(await output(clients.cinder('show', name)), 'status');
}

testWithClients('cinder keeps a volume, admits a host, completes, shows, lists and deletes', async (t) => {
  const id = await volume('c1');
  const attachment = fieldOf(await cinder('attachment-create', 'c1', instance), 'id');
  t.is(fieldOf(await cinder('attachment-show', attachment), 'status'), 'reserved');
  const host = ['--initiator', initiator, '--host', 'h1', '--mountpoint', '/dev/vdb'];
  const updated = await cinder('attachment-update', attachment, ...host);
  t.is(fieldOf(updated, 'driver_volume_type'), 'iscsi');
  t.is(fieldOf(updated, 'target_iqn'), `iqn.2010-10.org.openstack:volume-${id}`);
  t.is(fieldOf(updated, 'auth_password'), target.exports.get(id)?.chap?.secret ?? '-');
  await cinder('attachment-complete', attachment);
  t.deepEqual(rowsOf(await cinder('attachment-list')).get(attachment), [id, 'attached', instance]);
  t.deepEqual(rowsOf(await cinder('attachment-list', '--status', 'reserved')).get(attachment), undefined);
  t.is(await statusOf('c1'), 'in-use');
  await cinder('attachment-delete', attachment);
  t.is(await statusOf('c1'), 'available');
  t.regex((await clients.cinder('--os-volume-api-version', '3.70', 'attachment-show', attachment)).errors, /404/);
  const connected = await cinder('attachment-create', 'c1', '--connect', 'True', ...host, '--mode', 'ro');
  t.is(fieldOf(connected, 'access_mode'), 'ro');
  const refused = await clients.cinder('--os-volume-api-version', '3.70', 'attachment-create', 'c1', instance);
  t.regex(refused.errors, /volume .* is attached to h1.*HTTP 409/);
  await cinder('attachment-delete', fieldOf(connected, 'id'));
});

testWithClients('openstack does the same', async (t) => {
  const id = await volume('o1');
  const attachment = fieldOf(await openstack('create', 'o1', instance), 'ID');
  const updated = await openstack('set', attachment, '--initiator', initiator, '--host', 'h1');
  t.regex(fieldOf(updated, 'Properties'), /driver_volume_type='iscsi'/);
  await openstack('complete', attachment);
  t.is(fieldOf(await openstack('show', attachment), 'Status'), 'attached');
  t.deepEqual(rowsOf(await openstack('list', '--volume-id', id)).get(attachment), [id, instance, 'attached']);
  await openstack('delete', attachment);
  t.is(await statusOf('o1'), 'available');
  const connected = await openstack('create', '--connect', '--initiator', initiator, '--mode', 'rw', 'o1', instance);
  t.is(fieldOf(connected, 'Attach Mode'), 'rw');
  await openstack('delete', fieldOf(connected, 'ID'));
});

testWithClients('the library of cinder reserves, connects, attaches, disconnects and detaches', async (t) => {
  const id = await volume('l1');
  const connector = { initiator, host: 'h1', ip: '192.0.2.5', platform: 'x86_64', os_type: 'linux', multipath: false };
  await library('reserve', id);
  t.is(await statusOf('l1'), 'attaching');
  const connection = z
    .object({ driver_volume_type: z.string(), data: z.looseObject({ target_lun: z.int() }) })
    .parse(JSON.parse(await library('initialize_connection', id, connector)));
  t.like(connection, { driver_volume_type: 'iscsi', data: { target_lun: 1, target_portal: '192.0.2.1:3260' } });
  await library('attach', id, instance, '/dev/vdb', 'rw', 'h1');
  t.is(await statusOf('l1'), 'in-use');
  await library('begin_detaching', id);
  await library('roll_detaching', id);
  await library('begin_detaching', id);
  await library('terminate_connection', id, connector);
  t.false(target.exports.has(id));
  await library('detach', id);
  t.is(await statusOf('l1'), 'available');
  await library('reserve', id);
  await library('unreserve', id);
  await library('attach', id, instance, '/dev/vdb');
  await library('detach', id);
  t.is(await statusOf('l1'), 'available');
});
