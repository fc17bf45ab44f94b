import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import type { Api } from '../../../services/api/api.ts';
import { startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { PythonClients, arePythonClientsThere, fieldOf, rowsOf } from '../../support/python-clients.ts';
import { until } from '../../support/until.ts';

/** What people type in the command lines of Debian who work with the data of volumes. */
const testWithClients = arePythonClientsThere ? test.serial : test.serial.skip;
const project = '5ad1f0c79c9e4bb5b1d0e9ea9f1bd52a';

let cluster: Cluster;
let api: Api;
let clients: PythonClients;
test.before(async () => {
  if (!arePythonClientsThere) return;
  cluster = await Cluster.start();
  const backends = await Promise.all(
    ['files', 'more'].map(async (name) => {
      const directory = join(cluster.directory, name);
      await mkdir(directory);
      return { name, driver: new FileDriver({ directory }) };
    }),
  );
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, backends);
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

/** Returns the id of a new volume. */
async function volume(name: string): Promise<string> {
  const id = fieldOf(await cinder('create', '--name', name, '1'), 'id');
  await until(async () => fieldOf(await cinder('show', id), 'status') === 'available', `${name} is available`);
  return id;
}

testWithClients('cinder takes, lists, shows, changes and deletes snapshots', async (t) => {
  const of = await volume('c1');
  const words = ['--name', 's1', '--description', 'the upgrade', '--metadata', 'a=1'];
  const id = fieldOf(await cinder('snapshot-create', ...words, 'c1'), 'id');
  const isAvailable = async () => fieldOf(await cinder('snapshot-show', 's1'), 'status') === 'available';
  await until(isAvailable, 'the snapshot is available');
  t.is(rowsOf(await cinder('snapshot-list', '--volume-id', of)).get(id)?.[2], 's1');
  t.true(rowsOf(await cinder('snapshot-list', '--filters', 'metadata={a:1}', '--with-count')).has(id));
  await cinder('snapshot-rename', 's1', 's2', '--description', 'the next one');
  await cinder('snapshot-metadata', 's2', 'set', 'b=2');
  await cinder('snapshot-metadata', 's2', 'unset', 'a');
  t.is(fieldOf(await cinder('snapshot-metadata-show', 's2'), 'b'), '2');
  await cinder('snapshot-metadata-update-all', 's2', 'c=3');
  const shown = await cinder('snapshot-show', 's2');
  t.is(fieldOf(shown, 'description'), 'the next one');
  t.is(fieldOf(shown, 'metadata'), "{'c': '3'}");
  await cinder('snapshot-reset-state', '--state', 'available', 's2');
  t.regex((await clients.cinder('snapshot-reset-state', '--state', 'error', 's2')).errors, /follows from its storage/);
  const made = fieldOf(await cinder('create', '--snapshot-id', id, '--name', 'c2', '1'), 'id');
  await until(async () => fieldOf(await cinder('show', made), 'status') === 'available', 'c2 is available');
  t.is(fieldOf(await cinder('show', 'c2'), 'snapshot_id'), id);
  await cinder('create', '--source-volid', made, '--name', 'c3', '1');
  await cinder('snapshot-delete', 's2');
  await until(async () => !rowsOf(await cinder('snapshot-list')).has(id), 'deleted');
});

testWithClients('openstack takes, lists, shows, changes and deletes snapshots', async (t) => {
  await volume('o1');
  const words = ['--volume', 'o1', '--description', 'the upgrade', '--property', 'a=1'];
  const id = fieldOf(await openstack('volume', 'snapshot', 'create', ...words, 'os1'), 'id');
  const shown = async () => openstack('volume', 'snapshot', 'show', 'os1');
  await until(async () => fieldOf(await shown(), 'status') === 'available', 'the snapshot is available');
  await openstack('volume', 'snapshot', 'set', '--property', 'b=2', '--state', 'available', 'os1');
  await openstack('volume', 'snapshot', 'unset', '--property', 'a', 'os1');
  t.is(fieldOf(await shown(), 'properties'), "b='2'");
  const listed = await openstack('volume', 'snapshot', 'list', '--long', '--volume', 'o1');
  t.deepEqual(rowsOf(listed).get(id)?.slice(0, 3), ['os1', 'the upgrade', 'available']);
  await openstack('volume', 'snapshot', 'set', '--name', 'os2', 'os1');
  await openstack('volume', 'create', '--snapshot', 'os2', 'o2');
  await until(async () => fieldOf(await openstack('volume', 'show', 'o2'), 'status') === 'available', 'o2 is made');
  await openstack('volume', 'create', '--source', 'o1', 'o3');
  await openstack('volume', 'snapshot', 'delete', '--force', 'os2');
  await until(async () => !rowsOf(await openstack('volume', 'snapshot', 'list')).has(id), 'deleted');
});

testWithClients('cinder offers volumes to other projects, which accept them', async (t) => {
  const other = new PythonClients(clients.url, 'ad0c12f59bcf4e2fb7b52ff5d37b4d23');
  t.teardown(() => other[Symbol.asyncDispose]());
  const id = await volume('t1');
  for (const version of ['3.0', '3.70']) {
    const [giver, taker] = version === '3.0' ? [clients, other] : [other, clients];
    const run = async (from: PythonClients, ...words: readonly string[]) => {
      const { succeeded, output, errors } = await from.cinder('--os-volume-api-version', version, ...words);
      if (!succeeded) throw new Error(`cinder ${words.join(' ')}: ${errors}${output}`);
      return output;
    };
    const made = await run(giver, 'transfer-create', '--name', 'gift', id);
    const transfer = fieldOf(made, 'id');
    t.is(rowsOf(await run(giver, 'transfer-list')).get(transfer)?.[1], 'gift');
    t.is(fieldOf(await run(giver, 'transfer-show', 'gift'), 'volume_id'), id);
    t.is(fieldOf(await run(taker, 'transfer-accept', transfer, fieldOf(made, 'auth_key')), 'volume_id'), id);
    const status = async () => fieldOf((await taker.cinder('show', id)).output, 'status');
    await until(async () => (await status()) === 'available', 'the volume is of the other project');
  }
  await cinder('transfer-create', '--no-snapshots', '--name', 'kept', id);
  await cinder('transfer-delete', 'kept');
});

testWithClients('openstack offers a volume, and ends the offer', async (t) => {
  const id = await volume('t2');
  const made = await openstack('volume', 'transfer', 'request', 'create', '--name', 'gift', 't2');
  const transfer = fieldOf(made, 'id');
  t.not(fieldOf(made, 'auth_key'), '');
  t.true(rowsOf(await openstack('volume', 'transfer', 'request', 'list')).has(transfer));
  t.is(fieldOf(await openstack('volume', 'transfer', 'request', 'show', 'gift'), 'volume_id'), id);
  const accepting = ['accept', '--auth-key', fieldOf(made, 'auth_key'), transfer];
  const end = await clients.openstack('volume', 'transfer', 'request', ...accepting);
  t.regex(end.errors, /which cannot accept it itself/);
  await openstack('volume', 'transfer', 'request', 'delete', 'gift');
  t.is(fieldOf(await openstack('volume', 'show', 't2'), 'status'), 'available');
});
