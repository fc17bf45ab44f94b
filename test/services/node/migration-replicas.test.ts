import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { silentLog } from '../../../lib/log.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { freePort } from '../../support/free-port.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };

test('the destination of a migration makes no storage before the replicas have the migration', async (t) => {
  const port = String(await freePort());
  const options = ['--bind', '127.0.0.1', '--port', port, '--repl-diskless-sync-delay', '0'];
  const cluster = await Cluster.over(await RedisServer.start(...options));
  t.teardown(() => cluster.close());
  const replica = await RedisServer.start('--replicaof', '127.0.0.1', port);
  t.teardown(() => replica.stop());
  const store = await cluster.store();
  const follows = () =>
    until(async () => (await store.redis.info('replication')).includes('state=online'), 'the replica follows');
  const { commands, migrations } = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
  const drivers = new Map<string, FileDriver>();
  const waits: string[] = [];
  const node = async (name: string) => {
    const directory = join(cluster.directory, name);
    await mkdir(directory, { recursive: true });
    const driver = new FileDriver({ directory });
    drivers.set(name, driver);
    const log = { ...silentLog, debug: (line: string) => void waits.push(`${name}: ${line}`) };
    const flags = { redis_min_replicas: '1', node_down_time: '60' };
    await cluster.node(name, flags, { name: 'files', driver }, { log });
  };
  const differences = async () => {
    const all = Array.from(drivers, async ([name, driver]) => ({ node: name, volumes: await driver.listVolumes() }));
    return disagreements(store, await Promise.all(all));
  };
  const agrees = () => until(async () => (await differences()).length === 0, 'all agrees');
  await follows();
  for (const name of ['n1', 'n2']) await node(name);
  const { id } = await commands.create({ size: 0, userId: 'user', projectId: 'project', node: 'n1' }, deadline);
  t.is((await migrations.migrate(id, { to: 'n2' }, deadline)).node, 'n2', 'with a replica it is carried out');
  await agrees();

  await replica.down('SIGKILL');
  waits.length = 0;
  await migrations.migrate(id, { to: 'n1' });
  await until(() => waits.includes('n1: a migration to this node waits'), 'the destination waits');
  t.deepEqual(await drivers.get('n1')?.listVolumes(), []);

  await replica.up();
  await follows();
  await until(async () => (await volumesOf(store).lookup(id)).node === 'n1', 'it is carried out then');
  await agrees();
});
