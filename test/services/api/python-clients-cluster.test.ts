import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import type { Api } from '../../../services/api/api.ts';
import { startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { PythonClients, arePythonClientsThere, fieldOf, rowsOf } from '../../support/python-clients.ts';
import { until } from '../../support/until.ts';

/** What administrators of a cluster, and people with backups, type in the command lines of Debian. */
const testWithClients = arePythonClientsThere ? test.serial : test.serial.skip;
const project = '5ad1f0c79c9e4bb5b1d0e9ea9f1bd52a';

let cluster: Cluster;
let api: Api;
let clients: PythonClients;
test.before(async () => {
  if (!arePythonClientsThere) return;
  cluster = await Cluster.start();
  await mkdir(join(cluster.directory, 'pool'));
  const flags = { backup_directory: join(cluster.directory, 'backups') };
  const driver = new FileDriver({ directory: join(cluster.directory, 'pool') });
  await cluster.node('n1', { ...flags, report_interval: '600', node_down_time: '3600' }, { name: 'files', driver });
  const started = await startApi(cluster, flags);
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
  const { succeeded, output, errors } = await clients.cinder('--os-volume-api-version', '3.70', ...words);
  if (!succeeded) throw new Error(`cinder ${words.join(' ')}: ${errors}${output}`);
  return output;
}

async function openstack(...words: readonly string[]): Promise<string> {
  const { succeeded, output, errors } = await clients.openstack(...words);
  if (!succeeded) throw new Error(`openstack ${words.join(' ')}: ${errors}${output}`);
  return output;
}

testWithClients('cinder makes types with specs, access, encryption and QoS', async (t) => {
  const [id = ''] = [...rowsOf(await cinder('type-create', 'fast', '--is-public', 'false')).keys()].slice(1);
  await cinder('type-key', 'fast', 'set', 'volume_backend_name=files');
  t.is(fieldOf(await cinder('type-show', 'fast'), 'extra_specs'), 'volume_backend_name : files');
  t.regex(await cinder('extra-specs-list'), /'volume_backend_name': 'files'/);
  await cinder('type-key', 'fast', 'unset', 'volume_backend_name');
  await cinder('type-access-add', '--volume-type', 'fast', '--project-id', 'p9');
  t.deepEqual(rowsOf(await cinder('type-access-list', '--volume-type', 'fast')).get(id), ['p9']);
  await cinder('type-access-remove', '--volume-type', 'fast', '--project-id', 'p9');
  await cinder('encryption-type-create', 'fast', 'luks', '--cipher', 'aes-xts-plain64', '--key-size', '256');
  await cinder('encryption-type-update', 'fast', '--key-size', '512');
  t.is(rowsOf(await cinder('encryption-type-list')).get(id)?.[2], '512');
  await cinder('encryption-type-delete', 'fast');
  const made = await cinder('qos-create', 'slow', 'consumer=both', 'read_iops_sec=500', 'write_iops_sec=500');
  const spec = fieldOf(made, 'id');
  await cinder('qos-associate', spec, id);
  t.is(rowsOf(await cinder('qos-get-association', spec)).get('volume_type')?.[0], 'fast');
  t.is(fieldOf(await cinder('type-show', 'fast'), 'qos_specs_id'), spec);
  await cinder('qos-key', spec, 'unset', 'read_iops_sec', 'write_iops_sec');
  await cinder('qos-disassociate', spec, id);
  await cinder('qos-disassociate-all', spec);
  await cinder('qos-delete', spec);
  await cinder('default-type-set', 'fast', project);
  t.true(rowsOf(await cinder('default-type-list')).has(id));
  t.true(rowsOf(await cinder('type-default')).has(id));
  await cinder('default-type-unset', project);
  await cinder('type-update', id, '--name', 'quick', '--is-public', 'true');
  t.true(rowsOf(await cinder('type-list')).has(id));
  await cinder('type-delete', 'quick');
});

testWithClients('openstack makes types with specs, encryption and QoS', async (t) => {
  await openstack('volume', 'type', 'create', '--private', '--property', 'volume_backend_name=files', 'o1');
  await openstack('volume', 'type', 'set', '--description', 'quick', '--property', 'multiattach=<is> True', 'o1');
  const encryption = ['--encryption-provider', 'luks', '--encryption-cipher', 'aes-xts-plain64'];
  await openstack('volume', 'type', 'set', ...encryption, '--encryption-key-size', '256', 'o1');
  const shown = await openstack('volume', 'type', 'show', '--encryption-type', 'o1');
  t.is(fieldOf(shown, 'properties'), "multiattach='<is> True', volume_backend_name='files'");
  t.regex(fieldOf(shown, 'encryption'), /key_size='256', provider='luks'/);
  await openstack('volume', 'type', 'unset', '--property', 'multiattach', '--encryption-type', 'o1');
  const limits = ['--consumer', 'front-end', '--property', 'total_iops_sec=100'];
  await openstack('volume', 'qos', 'create', ...limits, 'q1');
  await openstack('volume', 'qos', 'associate', 'q1', 'o1');
  t.is(fieldOf(await openstack('volume', 'qos', 'show', 'q1'), 'associations'), 'o1');
  await openstack('volume', 'qos', 'disassociate', '--all', 'q1');
  await openstack('volume', 'qos', 'delete', 'q1');
  await openstack('volume', 'type', 'delete', 'o1');
});

testWithClients('quotas are shown and set, and limits are shown', async (t) => {
  await cinder('quota-update', '--volumes', '5', project);
  t.is(fieldOf(await cinder('quota-show', project), 'volumes'), '5');
  t.deepEqual(
    rowsOf(await cinder('quota-usage', project))
      .get('volumes')
      ?.slice(0, 3),
    ['0', '0', '5'],
  );
  t.is(fieldOf(await cinder('absolute-limits'), 'maxTotalVolumes'), '5');
  await cinder('quota-delete', project);
  t.is(fieldOf(await cinder('quota-defaults', project), 'volumes'), '-1');
  await cinder('quota-class-update', '--volumes', '50', 'default');
  t.is(fieldOf(await cinder('quota-class-show', 'default'), 'volumes'), '50');
  await cinder('quota-class-update', '--volumes', '-1', 'default');
  t.is(fieldOf(await openstack('limits', 'show', '--absolute'), 'maxTotalVolumes'), '-1');
});

testWithClients('cinder and openstack group volumes, and take snapshots of them', async (t) => {
  await cinder('type-create', 'grouped');
  const properties = rowsOf(await cinder('group-type-create', 'together', '--description', 'of one moment'));
  t.true([...properties.values()].some(([name]) => name === 'together'));
  await cinder('group-type-key', 'together', 'set', 'consistent_group_snapshot_enabled=<is> True');
  t.regex(await cinder('group-type-show', 'together'), /consistent_group_snapshot_enabled/);
  const group = fieldOf(await cinder('group-create', '--name', 'shop', 'together', 'grouped'), 'id');
  const volumes: string[] = [];
  for (const name of ['data', 'log']) {
    const made = await cinder('create', '--volume-type', 'grouped', '--name', name, '1');
    volumes.push(fieldOf(made, 'id'));
  }
  for (const volume of volumes) {
    await until(async () => fieldOf(await cinder('show', volume), 'status') === 'available', 'it is available');
  }
  await cinder('group-update', 'shop', '--add-volumes', volumes.join(','));
  t.is(fieldOf(await cinder('show', volumes[0] ?? ''), 'group_id'), group);
  t.true(rowsOf(await cinder('group-list')).has(group));
  t.is(fieldOf(await cinder('group-show', 'shop'), 'status'), 'available');
  const taken = fieldOf(await cinder('group-snapshot-create', '--name', 'before', 'shop'), 'id');
  const isAvailable = async () => fieldOf(await cinder('group-snapshot-show', 'before'), 'status') === 'available';
  await until(isAvailable, 'the group snapshot is available');
  t.true(rowsOf(await cinder('group-snapshot-list')).has(taken));
  t.is(rowsOf(await cinder('snapshot-list')).size, 3);
  const since = ['--os-volume-api-version', '3.70', 'volume', 'group'];
  t.true(rowsOf(await openstack(...since, 'list')).has(group));
  t.true(rowsOf(await openstack(...since, 'snapshot', 'list')).has(taken));
  await openstack(...since, 'set', '--description', 'of the shop', 'shop');
  await openstack(...since, 'snapshot', 'delete', 'before');
  await until(async () => rowsOf(await cinder('snapshot-list')).size <= 1, 'its snapshots are deleted');
  await openstack(...since, 'delete', '--force', 'shop');
  await until(async () => rowsOf(await cinder('list')).size <= 1, 'its volumes are deleted');
  const again = fieldOf(await openstack(...since, 'create', '--name', 'again', 'together', 'grouped'), 'ID');
  await cinder('group-delete', again);
  await openstack(...since, 'type', 'delete', 'together');
  await cinder('type-delete', 'grouped');
});

testWithClients('services, pools, zones and what there is none of are listed', async (t) => {
  const services = rowsOf(await cinder('service-list'));
  t.deepEqual(services.get('cinder-volume')?.slice(0, 4), ['n1@files', 'nova', 'enabled', 'up']);
  t.true(services.has('cinder-backup'));
  await cinder('service-disable', 'n1@files', 'cinder-volume', '--reason', 'its disks are replaced');
  t.regex(await openstack('volume', 'service', 'list', '--long'), /disabled \| up .* its disks are replaced/);
  await openstack('volume', 'service', 'set', '--enable', 'n1@files', 'cinder-volume');
  t.is(rowsOf(await cinder('service-list')).get('cinder-volume')?.[2], 'enabled');
  t.is(fieldOf(await cinder('get-pools', '--detail'), 'volume_backend_name'), 'files');
  t.is(fieldOf(await cinder('get-capabilities', 'n1@files'), 'vendor_name'), 'blockstore');
  t.is(rowsOf(await cinder('availability-zone-list')).get('nova')?.[0], 'available');
  t.is(rowsOf(await openstack('availability', 'zone', 'list', '--volume')).get('nova')?.[0], 'available');
  t.regex(await cinder('list-extensions'), /os-quota-sets/);
  t.regex(await cinder('list-filters', '--resource', 'backup'), /volume_id/);
  t.is(fieldOf(await cinder('summary'), 'total_count'), '0');
  t.regex(await cinder('service-get-log'), /cinder-api/);
  const none = ['consisgroup-list', 'cgsnapshot-list'];
  for (const command of [...none, 'cluster-list', 'message-list', 'work-cleanup']) {
    t.true(rowsOf(await cinder(command)).size <= 1, command);
  }
  for (const [command, reason] of [
    ['freeze-host', /no replication/],
    ['failover-host', /no replication/],
  ] as const) {
    t.regex((await clients.cinder(command, 'n1@files')).errors, reason);
  }
});

testWithClients('volumes are backed up, and backups restored', async (t) => {
  await cinder('create', '--name', 'data', '1');
  await until(async () => fieldOf(await cinder('show', 'data'), 'status') === 'available', 'the volume is available');
  const isComplete = async (name: string) => fieldOf(await cinder('backup-show', name), 'status') === 'available';
  await cinder('backup-create', 'data', '--name', 'monday', '--metadata', 'kind=weekly');
  await until(() => isComplete('monday'), 'the backup has its data');
  await openstack('volume', 'backup', 'create', '--incremental', '--force', '--name', 'tuesday', 'data');
  await until(() => isComplete('tuesday'), 'the next one has its data');
  t.is(fieldOf(await openstack('volume', 'backup', 'show', 'tuesday'), 'is_incremental'), 'True');
  await cinder('backup-update', 'monday', '--name', 'week');
  t.regex(await openstack('volume', 'backup', 'list', '--long'), /week .* data /);
  const restored = await cinder('backup-restore', 'week', '--name', 'again');
  t.is(fieldOf(restored, 'volume_name'), 'again');
  await until(async () => fieldOf(await cinder('show', 'again'), 'status') === 'available', 'it is restored');
  t.regex((await clients.cinder('backup-delete', 'week')).output, /has data of later ones/);
  await cinder('backup-delete', '--force', 'tuesday');
  await openstack('volume', 'backup', 'delete', 'week');
  t.is(rowsOf(await cinder('backup-list')).size, 1);
});
