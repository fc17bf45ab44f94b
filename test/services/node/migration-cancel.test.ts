import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { cancelMigration } from '../../../lib/client/cancel-migration.ts';
import { type ClusterCommands, clusterCommands } from '../../../lib/client/cluster-commands.ts';
import { lastEvents } from '../../../lib/client/event-reader.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { backendsOf } from '../../../lib/models/backend.ts';
import { migrationsOf } from '../../../lib/models/migration.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** Migrations that somebody cancels, with the driver file. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };

let cluster: Cluster;
let store: Store;
let commands: ClusterCommands;
let drivers: Record<string, FileDriver>;
let source: BlockStore;
let destination: BlockStore;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
  drivers = {};
  source = await node('n1', { migration_rate: '10', stop_timeout: '0' });
  destination = await node('n2');
});
test.afterEach.always(() => cluster.close());

async function node(name: string, flags = {}): Promise<BlockStore> {
  const directory = join(cluster.directory, name);
  await mkdir(directory, { recursive: true });
  const driver = new FileDriver({ directory });
  drivers[name] = driver;
  return cluster.node(name, { report_interval: '1', node_down_time: '30', ...flags }, { name: 'files', driver });
}

const pathOf = (at: string, id: string) => join(cluster.directory, at, `volume-${id}`);

/** A volume on the first node whose data take ten seconds to send. */
async function makeVolume(): Promise<{ id: string; data: Buffer }> {
  const request = { size: 0, userId: 'user', projectId: 'project', node: 'n1' };
  const { id } = await commands.commands.create(request, deadline);
  const data = randomBytes(100 * MiB);
  await writeFile(pathOf('n1', id), data, { flag: 'r+' });
  return { id, data };
}

async function hasBegun(id: string): Promise<void> {
  await until(async () => ((await volumesOf(store).find(id))?.progress ?? 0) > 5, 'data are sent');
}

/** Nothing is left of a migration, and everything agrees. */
async function problems(): Promise<string[]> {
  const found = async () => {
    const all = Object.entries(drivers).map(async ([at, driver]) => ({
      node: at,
      volumes: await driver.listVolumes(),
    }));
    return disagreements(store, await Promise.all(all));
  };
  await until(async () => (await found()).length === 0, 'all agrees', 60_000).catch(() => undefined);
  return found();
}

async function allocated(): Promise<number[]> {
  const { states } = await backendsOf(store).readAll(['n1@files', 'n2@files']);
  return states.map(({ allocatedBytes }) => allocatedBytes / MiB);
}

test.serial('a volume whose migration is cancelled stays, and its destination keeps nothing of it', async (t) => {
  const { id, data } = await makeVolume();
  await t.throwsAsync(cancelMigration(commands, id, deadline), { code: 'NotMigrating' });
  const end = commands.migrations.migrate(id, { to: 'n2' }, deadline).catch((error: unknown) => error);
  await hasBegun(id);
  const [cancelled] = await Promise.all([1, 2].map(() => cancelMigration(commands, id, deadline)));
  t.like(cancelled, { id, node: 'n1', status: 'available', task: undefined, migration: '', fault: undefined });
  t.like(await end, { code: 'MigrationCancelled' });
  t.true((await readFile(pathOf('n1', id))).equals(data));
  await until(async () => (await drivers['n2']?.listVolumes())?.length === 0, 'the copy is removed');
  t.deepEqual(await problems(), []);
  await until(async () => (await allocated()).join(' ') === '100 0', 'its space is free');
  const { events } = await lastEvents(store, 100);
  t.deepEqual(
    events.flatMap(({ event, volume }) => (volume === id && event.startsWith('volume.migrate') ? [event] : [])),
    ['volume.migrate.start', 'volume.migrate.cancel', 'volume.migrate.error'],
  );
  await t.throwsAsync(cancelMigration(commands, id, deadline), { code: 'NotMigrating' });
  t.like(await commands.migrations.migrate(id, { to: 'n2' }, deadline), { node: 'n2', status: 'available' });
  t.true((await readFile(pathOf('n2', id))).equals(data));
  t.deepEqual(await problems(), []);
});

test.serial('a migration is cancelled by its node when that returns', async (t) => {
  const { id, data } = await makeVolume();
  const end = commands.migrations.migrate(id, { to: 'n2' }, deadline).catch((error: unknown) => error);
  await hasBegun(id);
  await source.stop();
  const cancels = [1, 2].map(() => cancelMigration(commands, id));
  for (const volume of [...(await Promise.all(cancels)), await cancelMigration(commands, id)]) {
    t.like(volume, { status: 'migrating' });
  }
  const { events } = await lastEvents(store, 100);
  t.is(events.filter(({ event }) => event === 'volume.migrate.cancel').length, 1);
  await node('n1');
  t.like(await end, { code: 'MigrationCancelled' });
  t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'available' });
  t.true((await readFile(pathOf('n1', id))).equals(data));
  t.deepEqual(await problems(), []);
});

test.serial('a volume that is about to leave does so, whatever is asked then', async (t) => {
  const { id, data } = await makeVolume();
  const end = commands.migrations.migrate(id, { to: 'n2' }, deadline);
  await hasBegun(id);
  const { migration } = await volumesOf(store).lookup(id);
  await commit(store, { edits: [{ kind: 'migration', id: migration, set: { leaving: 'true' } }] });
  await t.throwsAsync(cancelMigration(commands, id, deadline), { code: 'MigrationNotCancellable' });
  t.false((await migrationsOf(store).lookup(migration)).isCancelRequested);
  t.like(await end, { node: 'n2', status: 'available' });
  t.true((await readFile(pathOf('n2', id))).equals(data));
  t.deepEqual(await problems(), []);
});

test.serial('storage that a volume has left is not taken back, although Redis says that it migrates', async (t) => {
  const { id, data } = await makeVolume();
  const driver = drivers['n1'];
  if (!driver) throw new Error('there is no driver');
  // Its removal waits: the state of Redis goes back meanwhile.
  driver.deleteVolume = () => Promise.reject(new Error('busy'));
  const end = commands.migrations.migrate(id, { to: 'n2' }, deadline);
  await hasBegun(id);
  const { migration } = await volumesOf(store).lookup(id);
  const [volume, record] = await Promise.all([
    store.redis.hgetall(store.keys.volume(id)),
    store.redis.hgetall(store.keys.migration(migration)),
  ]);
  await end;
  const file = await open(pathOf('n2', id), 'r+');
  await file.write(Buffer.from('written after the migration'), 0, 27, 0);
  await file.close();
  Buffer.from('written after the migration').copy(data);
  for (const one of [source, destination]) await one.stop();
  await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
  const { endpoint: _, ...before } = record;
  await commit(store, {
    edits: [
      { kind: 'volume', id, insert: true, set: volume },
      { kind: 'migration', id: migration, insert: true, set: { ...before, cancel: 'true' } },
    ],
  });
  for (const name of ['n1', 'n2']) await node(name);
  const isThere = async () => (await volumesOf(store).lookup(id)).node === 'n2';
  await until(isThere, 'its record names the node that has its data');
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
  t.true((await readFile(pathOf('n2', id))).equals(data));
  t.deepEqual(await problems(), []);
  const { events } = await lastEvents(store, 100);
  const failed = events.filter(({ event, volume: of }) => of === id && event === 'volume.migrate.error');
  t.deepEqual(failed, [], 'it was nowhere else in between');
});
