import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { silentLog } from '../../../lib/log.ts';
import { TlsTransport } from '../../../lib/migration/tls-transport.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { movedLabel } from '../../../services/node/specs.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Redis loses records of migrations: storage that belongs to a volume is overwritten by none, and what is incomplete is served by nobody. */

const deadline = { deadlineMs: 60_000 };
const sender = new TlsTransport({
  processes: new ChildProcesses(),
  log: silentLog,
  address: () => '127.0.0.1',
  port: 0,
  bytesPerS: 0,
});

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let migrations: MigrationCommands;
let drivers: Map<string, FileDriver>;

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  volumes = await cluster.commands();
  migrations = new MigrationCommands(store, volumes, 'volume');
  drivers = new Map();
});
test.afterEach.always(() => cluster.close());

async function node(name: string, flags = {}, target = new FakeTarget()): Promise<BlockStore> {
  const directory = join(cluster.directory, name);
  await mkdir(directory, { recursive: true });
  const driver = new FileDriver({ directory });
  drivers.set(name, driver);
  return cluster.node(
    name,
    { report_interval: '1', node_down_time: '60', ...flags },
    { name: 'files', driver, target },
  );
}

const pathAt = (name: string, id: string) => join(cluster.directory, name, `volume-${id}`);

/** Writes to the storage of a volume. Returns all of its data then. */
async function writeTo(name: string, id: string, { isAll = false } = {}): Promise<Buffer> {
  const file = await open(pathAt(name, id), 'r+');
  const data = randomBytes(isAll ? 99 * 2 ** 20 : 4096);
  await file.write(data, 0, data.length, 2 ** 20);
  await file.close();
  return readFile(pathAt(name, id));
}

/** A volume on the first node. */
async function makeVolume(): Promise<string> {
  const { id } = await volumes.create({ size: 0, userId: 'user', projectId: 'project', node: 'n1' }, deadline);
  await writeTo('n1', id);
  return id;
}

async function recordOf(id: string): Promise<Record<string, string>> {
  return store.redis.hgetall(store.keys.volume(id));
}

/** Redis has an earlier record of a volume again. */
async function goBackTo(id: string, record: Record<string, string>): Promise<void> {
  await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
  await commit(store, { edits: [{ kind: 'volume', id, insert: true, set: record }] });
}

/** Nothing is left of a migration, and everything agrees. */
async function problems(): Promise<string[]> {
  const found = async () => {
    const all = Array.from(drivers, async ([name, driver]) => ({ node: name, volumes: await driver.listVolumes() }));
    return disagreements(store, await Promise.all(all));
  };
  await until(async () => (await found()).length === 0, 'all agrees', 30_000).catch(() => undefined);
  return found();
}

async function isAvailableAt(id: string, name: string): Promise<void> {
  const isThere = async () => {
    const volume = await volumesOf(store).find(id);
    return volume?.node === name && volume.status === 'available';
  };
  await until(isThere, `it is available at ${name}`, 60_000);
}

test.serial('data of a migration that Redis has again do not overwrite the volume, which has arrived', async (t) => {
  await node('n1');
  await node('n2', { report_interval: '20' }); // it notes the end of a migration with a report
  const id = await makeVolume();
  const driver = drivers.get('n1');
  if (!driver) throw new Error('there is no driver');
  const label = driver.labelVolume.bind(driver);
  let before: Record<string, string> = {};
  let migration: Record<string, string> = {};
  driver.labelVolume = async (spec) => {
    if (spec.labels[movedLabel] !== undefined) {
      before = await recordOf(id);
      migration = await store.redis.hgetall(store.keys.migration(before['migration'] ?? ''));
    }
    await label(spec);
  };
  driver.deleteVolume = () => Promise.reject(new Error('busy')); // its former storage is there still
  await migrations.migrate(id, { to: 'n2' }, deadline);
  const data = await writeTo('n2', id);
  const { key = '', endpoint = '' } = migration;
  const sent = { volume: id, path: pathAt('n1', id), sizeBytes: data.length };
  const options = { signal: new AbortController().signal, progress: () => {} };
  await t.throwsAsync(sender.send({ migration: before['migration'] ?? '', key, endpoint }, sent, options), {
    code: 'MigrationFailed',
  });
  t.true((await readFile(pathAt('n2', id))).equals(data), 'nothing is received any more');
  const edit = { kind: 'migration', id: before['migration'] ?? '', insert: true, set: migration } as const;
  await commit(store, { edits: [edit] });
  await goBackTo(id, before);
  await isAvailableAt(id, 'n2');
  t.true((await readFile(pathAt('n2', id))).equals(data));
});

test.serial('a copy that is not complete is not served, although Redis has the volume there from before', async (t) => {
  const nodes = [await node('n1'), await node('n2')];
  const id = await makeVolume();
  await migrations.migrate(id, { to: 'n2' }, deadline);
  t.deepEqual(await problems(), []);
  const before = await recordOf(id);
  await migrations.migrate(id, { to: 'n1' }, deadline);
  t.deepEqual(await problems(), []);
  const data = await writeTo('n1', id, { isAll: true });
  for (const one of nodes) await one.stop();
  const [first, second] = [await node('n1', { migration_rate: '1', stop_timeout: '0' }), await node('n2')];
  const end = migrations.migrate(id, { to: 'n2' }, deadline).catch(() => undefined);
  await until(async () => ((await volumesOf(store).find(id))?.progress ?? 0) > 2, 'data are sent');
  for (const one of [first, second]) await one.stop();
  const { migration = '' } = await recordOf(id);
  await commit(store, { edits: [{ kind: 'migration', id: migration, remove: true }] });
  await goBackTo(id, before);
  await node('n2');
  await until(async () => (await volumesOf(store).lookup(id)).status === 'error', 'it is not served');
  await node('n1');
  const audits = await cluster.nodeCommands();
  await audits.audit('n1', { repair: true, remove: [] }, deadline);
  await isAvailableAt(id, 'n1');
  t.true((await readFile(pathAt('n1', id))).equals(data));
  await audits.audit('n2', { repair: true, remove: [] }, deadline);
  t.deepEqual(await problems(), []);
  await end;
});

for (const isStopped of [false, true]) {
  const when = isStopped ? 'when its former node starts' : 'while its former node runs';
  test.serial(
    `an attach of a volume that Redis has again where it has left exports nothing there, ${when}`,
    async (t) => {
      const target = new FakeTarget();
      const n1 = await node('n1', {}, target);
      await node('n2');
      const id = await makeVolume();
      const driver = drivers.get('n1');
      if (!driver) throw new Error('there is no driver');
      driver.deleteVolume = () => Promise.reject(new Error('busy')); // its former storage is there still
      const before = await recordOf(id);
      await migrations.migrate(id, { to: 'n2' }, deadline);
      const data = await writeTo('n2', id);
      if (isStopped) await n1.stop();
      await goBackTo(id, before);
      const request = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
      const attach = (deadlineMs: number) => volumes.attach(id, request, { deadlineMs });
      if (isStopped) {
        await t.throwsAsync(attach(200));
        await node('n1', {}, target);
      } else await t.throwsAsync(attach(60_000), { code: 'StorageMissing' });
      if (!isStopped) await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
      await isAvailableAt(id, 'n2');
      t.false(target.specs.some((spec) => spec.id === id));
      t.true((await readFile(pathAt('n2', id))).equals(data));
    },
  );
}

test.serial('a volume is where its data are after Redis is emptied while they are sent', async (t) => {
  await node('n1', { migration_rate: '20' });
  await node('n2');
  const id = await makeVolume();
  const data = await writeTo('n1', id, { isAll: true });
  const end = migrations.migrate(id, { to: 'n2' }, deadline).catch(() => undefined);
  await until(async () => ((await volumesOf(store).find(id))?.progress ?? 0) > 10, 'data are sent');
  await store.redis.flushall();
  await isAvailableAt(id, 'n1');
  t.true((await readFile(pathAt('n1', id))).equals(data));
  t.deepEqual(await problems(), []);
  await end;
});
