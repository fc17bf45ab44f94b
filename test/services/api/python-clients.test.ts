import test from 'ava';
import type { Api } from '../../../services/api/api.ts';
import { startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { PythonClients, arePythonClientsThere, fieldOf, rowsOf } from '../../support/python-clients.ts';
import { until } from '../../support/until.ts';

/** What people type who use the command lines of Debian. */
const testWithClients = arePythonClientsThere ? test.serial : test.serial.skip;
const project = '5ad1f0c79c9e4bb5b1d0e9ea9f1bd52a';

let cluster: Cluster;
let api: Api;
let clients: PythonClients;
test.before(async () => {
  if (!arePythonClientsThere) return;
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  const started = await startApi(cluster);
  api = started.api;
  clients = new PythonClients(started.client.url, project);
});
test.after.always(async () => {
  if (!arePythonClientsThere) return;
  await clients[Symbol.asyncDispose]();
  await api.stop();
  await cluster.close();
});

async function cinder(...words: readonly string[]): Promise<string> {
  const { succeeded, output, errors } = await clients.cinder(...words);
  if (!succeeded) throw new Error(`cinder ${words.join(' ')}: ${errors}${output}`);
  return output;
}

async function openstack(...words: readonly string[]): Promise<string> {
  const { succeeded, output, errors } = await clients.openstack(...words);
  if (!succeeded) throw new Error(`openstack ${words.join(' ')}: ${errors}${output}`);
  return output;
}

testWithClients('cinder creates, lists, shows, changes and deletes volumes', async (t) => {
  const id = fieldOf(await cinder('create', '--name', 'c1', '--metadata', 'a=1', '1'), 'id');
  await until(async () => fieldOf(await cinder('show', 'c1'), 'status') === 'available', 'available');
  t.deepEqual(
    rowsOf(await cinder('list'))
      .get(id)
      ?.slice(0, 3),
    ['available', 'c1', '1'],
  );
  await cinder('rename', 'c1', 'c2', '--description', 'of the mail server');
  await cinder('metadata', 'c2', 'set', 'b=2');
  await cinder('metadata', 'c2', 'unset', 'a');
  const shown = await cinder('show', id);
  t.is(fieldOf(shown, 'name'), 'c2');
  t.is(fieldOf(shown, 'description'), 'of the mail server');
  t.is(fieldOf(shown, 'metadata'), 'b : 2');
  await cinder('delete', 'c2');
  await until(async () => !rowsOf(await cinder('list')).has(id), 'deleted');
  t.regex((await clients.cinder('show', 'c2')).errors, /No volume with a name or ID of 'c2' exists/);
});

testWithClients('openstack creates, lists, shows, changes and deletes volumes', async (t) => {
  const id = fieldOf(await openstack('volume', 'create', '--size', '1', '--property', 'a=1', 'o1'), 'id');
  await until(async () => fieldOf(await openstack('volume', 'show', 'o1'), 'status') === 'available', 'available');
  await openstack('volume', 'set', '--name', 'o2', '--property', 'b=2', 'o1');
  await openstack('volume', 'unset', '--property', 'a', 'o2');
  t.deepEqual(
    rowsOf(await openstack('volume', 'list', '--long'))
      .get(id)
      ?.slice(0, 2),
    ['o2', 'available'],
  );
  t.is(fieldOf(await openstack('volume', 'show', 'o2'), 'properties'), "b='2'");
  await openstack('volume', 'delete', 'o2');
  await until(async () => !rowsOf(await openstack('volume', 'list')).has(id), 'deleted');
  t.regex((await clients.openstack('volume', 'show', 'o2')).errors, /No volume with a name or ID of 'o2' exists/);
});

testWithClients('pages of the clients follow one another', async (t) => {
  for (const name of ['p1', 'p2', 'p3']) await cinder('create', '--name', name, '1');
  t.is(rowsOf(await cinder('list', '--limit', '2')).size - 1, 2);
  t.is(rowsOf(await openstack('volume', 'list', '--limit', '2')).size - 1, 2);
  t.is(rowsOf(await cinder('list', '--sort', 'name:asc', '--name', 'p2')).size - 1, 1);
});
