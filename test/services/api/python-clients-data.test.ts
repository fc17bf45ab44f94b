import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { ImageDirectory } from '../../../lib/images/directory.ts';
import type { Api } from '../../../services/api/api.ts';
import { startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { PythonClients, arePythonClientsThere, fieldOf, rowsOf } from '../../support/python-clients.ts';
import { until } from '../../support/until.ts';

/** What people type in the command lines of Debian who work with the data of volumes. */
const testWithClients = arePythonClientsThere ? test.serial : test.serial.skip;
const deadline = { deadlineMs: 60_000 };
const project = '5ad1f0c79c9e4bb5b1d0e9ea9f1bd52a';

let cluster: Cluster;
let api: Api;
let clients: PythonClients;
let images: ImageDirectory;
let commands: VolumeCommands;
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
  images = new ImageDirectory(join(cluster.directory, 'images'));
  const flags = { image_directory: join(cluster.directory, 'images') };
  await cluster.node('n1', { ...flags, report_interval: '600', node_down_time: '3600' }, backends);
  const started = await startApi(cluster, flags);
  api = started.api;
  commands = await cluster.commands();
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

/** Returns the id of a new volume, of 100 MiB. */
async function volume(name: string): Promise<string> {
  return (await commands.create({ size: 0, name, userId: 'u', projectId: project }, deadline)).id;
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

/** Waits until a field of a volume has that value. */
async function shows(id: string, field: string, value: string): Promise<void> {
  await until(async () => fieldOf(await cinder('show', id), field) === value, `${field} of ${id} is ${value}`);
}

testWithClients('cinder extends, retypes, migrates and marks volumes', async (t) => {
  const id = await volume('v1');
  await cinder('set-bootable', 'v1', 'true');
  await cinder('readonly-mode-update', 'v1', 'true');
  t.is(fieldOf(await cinder('show', id), 'readonly'), 'True');
  await cinder('readonly-mode-update', 'v1', 'false');
  await cinder('image-metadata', 'v1', 'set', 'hw_disk_bus=scsi', 'os_type=linux');
  await cinder('image-metadata', 'v1', 'unset', 'os_type');
  t.is(fieldOf(await cinder('image-metadata-show', 'v1'), 'hw_disk_bus'), 'scsi');
  await cinder('type-create', 'here');
  await cinder('type-create', 'there');
  const [first, second] = fieldOf(await cinder('show', id), 'os-vol-host-attr:host').startsWith('n1@files')
    ? ['files', 'more']
    : ['more', 'files'];
  await cinder('type-key', 'here', 'set', `volume_backend_name=${first}`);
  await cinder('type-key', 'there', 'set', `volume_backend_name=${second}`);
  await cinder('retype', 'v1', 'here');
  await shows(id, 'volume_type', 'here');
  await cinder('retype', '--migration-policy', 'on-demand', 'v1', 'there');
  await shows(id, 'volume_type', 'there');
  await shows(id, 'status', 'available');
  await cinder('extend', 'v1', '2');
  await shows(id, 'size', '2');
  await shows(id, 'status', 'available');
  const free = await volume('v2');
  const place = fieldOf(await cinder('show', free), 'os-vol-host-attr:host').startsWith('n1@files') ? 'more' : 'files';
  await cinder('migrate', '--force-host-copy', 'False', '--lock-volume', 'True', 'v2', `n1@${place}`);
  await until(
    async () => fieldOf(await cinder('show', free), 'os-vol-host-attr:host').startsWith(`n1@${place}`),
    'there',
  );
  await shows(free, 'status', 'available');
  await cinder('reset-state', '--state', 'available', '--attach-status', 'detached', 'v2');
  await cinder('reset-state', '--reset-migration-status', 'v2');
  t.regex((await clients.cinder('reset-state', '--state', 'error', 'v2')).output, /cannot be set to error/);
});

testWithClients('cinder makes images of volumes, and deletes volumes with what they have', async (t) => {
  const id = await volume('v3');
  const made = await cinder('upload-to-image', '--disk-format', 'qcow2', 'v3', 'golden');
  t.is(fieldOf(made, 'status'), 'uploading');
  const isActive = async () => (await images.show(fieldOf(made, 'image_id'))).status === 'active';
  await until(isActive, 'the image has its data');
  await shows(id, 'status', 'available');
  const image = fieldOf(made, 'image_id');
  const copy = fieldOf(await cinder('create', '--image-id', image, '--name', 'v3i', '1'), 'id');
  await shows(copy, 'status', 'available');
  await shows(copy, 'bootable', 'true');
  t.is(fieldOf(await cinder('image-metadata-show', 'v3i'), 'image_id'), image);
  const snapshot = fieldOf(await cinder('snapshot-create', '--name', 'v3s', 'v3'), 'id');
  await until(async () => fieldOf(await cinder('snapshot-show', 'v3s'), 'status') === 'available', 'available');
  const file = join(
    cluster.directory,
    fieldOf(await cinder('show', 'v3'), 'os-vol-host-attr:host').includes('@more') ? 'more' : 'files',
    `volume-${id}`,
  );
  await writeFile(file, 'spoilt', { flag: 'r+' });
  await cinder('revert-to-snapshot', snapshot);
  await shows(id, 'status', 'available');
  t.is((await readFile(file)).readUInt8(), 0);
  await writeFile(file, 'spoilt', { flag: 'r+' });
  await cinder('reimage', 'v3', image);
  await shows(id, 'status', 'available'); // not asked of the file: a volume that somebody has open is not restored
  t.is((await readFile(file)).readUInt8(), 0);
  t.is(fieldOf(await cinder('image-metadata-show', 'v3'), 'image_id'), image);
  await cinder('delete', '--cascade', 'v3');
  await until(async () => !rowsOf(await cinder('list')).has(id), 'deleted');
  const kept = await volume('v4');
  await cinder('transfer-create', 'v4');
  await cinder('force-delete', 'v4');
  await until(async () => !rowsOf(await cinder('list')).has(kept), 'deleted');
});

testWithClients('openstack extends, retypes, migrates and marks volumes', async (t) => {
  const id = await volume('w1');
  await openstack('volume', 'set', '--bootable', '--read-only', '--image-property', 'a=1', 'w1');
  const shown = await openstack('volume', 'show', 'w1');
  t.is(fieldOf(shown, 'bootable'), 'true');
  t.regex(fieldOf(shown, 'volume_image_metadata'), /'a': '1'/);
  await openstack('volume', 'unset', '--image-property', 'a', 'w1');
  await openstack('volume', 'set', '--non-bootable', '--read-write', '--state', 'available', 'w1');
  await openstack('volume', 'set', '--detached', 'w1');
  await openstack('volume', 'type', 'create', 'plain');
  await openstack('volume', 'set', '--type', 'plain', '--retype-policy', 'never', 'w1');
  await shows(id, 'volume_type', 'plain');
  const place = fieldOf(await cinder('show', id), 'os-vol-host-attr:host').startsWith('n1@files') ? 'more' : 'files';
  await openstack('volume', 'migrate', '--host', `n1@${place}`, '--lock-volume', 'w1');
  await until(
    async () => fieldOf(await cinder('show', id), 'os-vol-host-attr:host').startsWith(`n1@${place}`),
    'there',
  );
  await shows(id, 'status', 'available');
  const image = await clients.openstack('image', 'create', '--volume', 'w1', '--disk-format', 'raw', 'silver');
  t.is(fieldOf(image.output, 'status'), 'uploading', image.errors);
  await shows(id, 'status', 'available');
  await openstack('volume', 'set', '--size', '2', 'w1');
  await shows(id, 'size', '2');
  await shows(id, 'status', 'available');
  await openstack('volume', 'snapshot', 'create', '--volume', 'w1', 'w1s');
  await until(async () => /available/.test(await openstack('volume', 'snapshot', 'show', 'w1s')), 'available');
  await openstack('volume', 'delete', '--purge', 'w1');
  await until(async () => !rowsOf(await cinder('list')).has(id), 'deleted');
  const other = await volume('w2');
  await openstack('volume', 'delete', '--force', 'w2');
  await until(async () => !rowsOf(await cinder('list')).has(other), 'deleted');
});

testWithClients('lists are filtered, sorted, and of all projects', async (t) => {
  const [first, second] = [await volume('l1'), await volume('l2')];
  await cinder('metadata', 'l2', 'set', 'tier=gold');
  const idsOf = (output: string) => [...rowsOf(output).keys()].filter((key) => [first, second].includes(key));
  const both = ['list', '--all-tenants', '--filters', 'name~=l', '--sort', 'created_at:asc'];
  t.deepEqual(idsOf(await cinder(...both)), [first, second]);
  t.deepEqual(idsOf(await cinder('list', '--metadata', 'tier=gold', '--status', 'available')), [second]);
  t.deepEqual(idsOf(await cinder('list', '--filters', 'created_at=gt:2026-01-31T08:00:00', '--name', 'l1')), [first]);
  t.deepEqual(idsOf(await openstack('volume', 'list', '--all-projects', '--name', 'l1')), [first]);
  t.deepEqual(idsOf(await openstack('volume', 'list', '--marker', second, '--limit', '1')), [first]);
  t.regex(await cinder('summary'), /total_count/);
});
