import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { removeNode } from '../../../lib/client/remove-node.ts';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { Labels } from '../../../lib/drivers/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { BlockstoreError } from '../../../lib/errors.ts';
import { findNode } from '../../../lib/models/node.ts';
import { migrationsOf } from '../../../lib/models/migration.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { copyLabel, movedLabel } from '../../../services/node/specs.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Nodes that are declared lost while a volume leaves one of them for the other. */

const deadline = { deadlineMs: 60_000 };

class AoeTarget extends FakeTarget {
  override readonly name = 'aoe';
}

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let migrations: MigrationCommands;
let machines: Map<string, { driver: FileDriver; target: AoeTarget }>;
let nodes: Map<string, BlockStore>;

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  volumes = await cluster.commands();
  migrations = new MigrationCommands(store, volumes, 'volume');
  machines = new Map();
  nodes = new Map();
  for (const name of ['n1', 'n2']) await start(name);
});
test.afterEach.always(() => cluster.close());

async function start(name: string): Promise<void> {
  const directory = join(cluster.directory, `storage-of-${name}`);
  await mkdir(directory, { recursive: true });
  // Exports outlive the daemon.
  const machine = { driver: new FileDriver({ directory }), target: machines.get(name)?.target ?? new AoeTarget() };
  machines.set(name, machine);
  const flags = {
    report_interval: '1',
    node_down_time: '30',
    slots_per_shelf: '16',
    num_shell_tries: '1',
    address_quarantine: '1',
  };
  nodes.set(name, await cluster.node(name, flags, { name: 'files', ...machine }));
}

function at(name: string) {
  const machine = machines.get(name);
  if (!machine) throw new Error(`there is no ${name}`);
  return machine;
}

function pathAt(name: string, id: string): string {
  return join(cluster.directory, `storage-of-${name}`, `volume-${id}`);
}

async function labelsAt(name: string): Promise<Labels> {
  return (await at(name).driver.listVolumes())[0]?.labels ?? {};
}

const unattached = { isAttached: false, name: 'a volume' };
const attached = { isAttached: true, name: 'an attached volume' };

async function makeVolume({ isAttached }: { isAttached: boolean }): Promise<{ id: string; data: Buffer }> {
  const { id } = await volumes.create({ size: 0, userId: 'user', projectId: 'project', node: 'n1' }, deadline);
  const file = await open(pathAt('n1', id), 'r+');
  await file.write(randomBytes(4096), 0, 4096, 2 ** 20);
  await file.close();
  if (isAttached) await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  return { id, data: await readFile(pathAt('n1', id)) };
}

/** Its daemon, if it still runs, is cut off: its lease has expired. */
async function lose(name: string): Promise<void> {
  await store.redis.del(store.keys.lease(name));
  await declareLost(store, name, { topic: 'volume' });
}

/** Does something once the volume's storage on the first node has, or is about to have, the label that it has left. */
function onLeaving(act: () => Promise<void>, { isBefore = false } = {}): void {
  const { driver } = at('n1');
  const label = driver.labelVolume.bind(driver);
  driver.labelVolume = async (spec) => {
    const leaves = spec.labels[movedLabel] !== undefined;
    if (leaves && isBefore) await act();
    await label(spec);
    if (leaves && !isBefore) await act();
  };
}

async function returns(name: string): Promise<void> {
  await nodes.get(name)?.stop();
  await start(name);
}

/** Its daemon is another one's from now on, as if it had been killed: it changes nothing more. */
async function cutOff(name: string): Promise<void> {
  await store.redis.del(store.keys.lease(name));
  await store.redis.hset(store.keys.node(name), 'token', `${Date.now() + 60_000}-another`);
}

/** A node has made some reports. */
async function reports(name: string): Promise<void> {
  const times = new Set<number>();
  await until(
    async () => times.add((await findNode(store, name))?.reportTime ?? 0).size > 4,
    `${name} reports`,
    30_000,
  );
}

async function removed(): Promise<boolean> {
  try {
    await removeNode(store, 'n1', { topic: 'volume' });
    return true;
  } catch (error) {
    if (error instanceof BlockstoreError && error.code === 'AddressesQuarantined') return false;
    throw error;
  }
}

/** Nothing is left of a migration, and everything agrees. */
async function problems(): Promise<string[]> {
  const found = async () => {
    const all = Array.from(machines, async ([node, { driver, target }]) => ({
      node,
      volumes: await driver.listVolumes(),
      exports: await target.listExports(),
    }));
    return disagreements(store, await Promise.all(all));
  };
  await until(async () => (await found()).length === 0, 'all agrees', 30_000).catch(() => undefined);
  return found();
}

function exportsAt(name: string): string[] {
  return [...at(name).target.exports.keys()];
}

for (const kind of [unattached, attached]) {
  const usable = kind.isAttached ? 'in-use' : 'available';
  const exported = (id: string) => (kind.isAttached ? [id] : []);

  for (const isLabelled of [true, false]) {
    const when = isLabelled ? 'once its storage has the label' : 'before its storage has the label';
    test.serial(`${kind.name} whose source is lost when all data have arrived, ${when}, is there`, async (t) => {
      const { id, data } = await makeVolume(kind);
      const failure = new Error('its power fails');
      const act = async () => {
        await lose('n1');
        throw failure;
      };
      onLeaving(act, { isBefore: !isLabelled });
      await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'NodeLost' });
      await until(async () => (await volumesOf(store).lookup(id)).status === usable, 'it can be used without n1');
      t.like(await volumesOf(store).lookup(id), { node: 'n2', migration: '', fault: undefined });
      t.true((await readFile(pathAt('n2', id))).equals(data));
      t.deepEqual([exportsAt('n1'), exportsAt('n2')], [[], exported(id)]);
      t.is((await labelsAt('n1'))[movedLabel], isLabelled ? 'n2@files' : undefined);
      await returns('n1');
      t.deepEqual(await problems(), []);
      await until(
        async () => (await at('n1').driver.listVolumes()).length === 0,
        'n1 has removed its old data',
        30_000,
      );
      t.deepEqual([exportsAt('n1'), exportsAt('n2')], [[], exported(id)]);
      t.like(await volumesOf(store).lookup(id), { node: 'n2', status: usable });
    });
  }

  test.serial(
    `${kind.name} whose destination was down when its source was lost is there when that starts`,
    async (t) => {
      const { id, data } = await makeVolume(kind);
      onLeaving(async () => {
        await nodes.get('n2')?.stop();
        await lose('n1');
      });
      await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'NodeLost' });
      t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'error', fault: { code: 'NodeLost' } });
      await start('n2');
      await until(async () => (await volumesOf(store).lookup(id)).status === usable, 'it can be used');
      t.is((await volumesOf(store).lookup(id)).node, 'n2');
      t.true((await readFile(pathAt('n2', id))).equals(data));
      await returns('n1');
      t.deepEqual(await problems(), []);
    },
  );

  test.serial(
    `${kind.name} whose source is lost before all data have arrived is there when that returns`,
    async (t) => {
      const { id, data } = await makeVolume(kind);
      at('n1').driver.ensureVolume = async () => {
        await lose('n1');
        throw new Error('its power fails');
      };
      await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'NodeLost' });
      await reports('n2');
      t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'error', fault: { code: 'NodeLost' } });
      await returns('n1');
      await until(async () => (await volumesOf(store).lookup(id)).status === usable, 'it can be used');
      t.like(await volumesOf(store).lookup(id), { node: 'n1', migration: '', fault: undefined });
      t.true((await readFile(pathAt('n1', id))).equals(data));
      t.deepEqual(await problems(), []);
      t.deepEqual([exportsAt('n1'), exportsAt('n2')], [exported(id), []]);
      t.like(await migrations.migrate(id, { to: 'n2' }, deadline), { node: 'n2', status: usable });
      t.deepEqual(await problems(), []);
    },
  );

  test.serial(`${kind.name} stays where it is when its destination is lost before it is there`, async (t) => {
    const { id, data } = await makeVolume(kind);
    onLeaving(() => lose('n2'));
    await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'NodeLost' });
    t.like(await volumesOf(store).lookup(id), { node: 'n1', status: usable, migration: '', fault: undefined });
    t.true((await readFile(pathAt('n1', id))).equals(data));
    t.deepEqual([exportsAt('n1'), exportsAt('n2')], [exported(id), []]);
    t.is((await labelsAt('n1'))[movedLabel], undefined);
    await returns('n2');
    t.deepEqual(await problems(), []);
  });

  test.serial(`${kind.name} whose destination is lost before it has arrived is there when that returns`, async (t) => {
    const { id, data } = await makeVolume(kind);
    onLeaving(async () => nodes.get('n2')?.stop());
    const end = migrations.migrate(id, { to: 'n2' }, deadline).catch((error: unknown) => error);
    await until(async () => (await volumesOf(store).lookup(id)).node === 'n2', 'it has left');
    await declareLost(store, 'n2', { topic: 'volume' });
    t.like(await end, { code: 'NodeLost' });
    t.like(await volumesOf(store).lookup(id), { node: 'n2', status: 'error', fault: { code: 'NodeLost' } });
    t.true((await readFile(pathAt('n1', id))).equals(data), 'it may be needed');
    await start('n2');
    await until(async () => (await volumesOf(store).lookup(id)).status === usable, 'it can be used');
    t.is((await labelsAt('n2'))[copyLabel], undefined, 'its storage is its own');
    t.true((await readFile(pathAt('n2', id))).equals(data));
    t.deepEqual(await problems(), []);
    t.deepEqual([exportsAt('n1'), exportsAt('n2')], [[], exported(id)]);
  });

  test.serial(
    `${kind.name} that has left follows its storage's label, and its destination is asked first`,
    async (t) => {
      const { id, data } = await makeVolume(kind);
      onLeaving(() => cutOff('n1'));
      const end = migrations.migrate(id, { to: 'n2' }, deadline).catch((error: unknown) => error);
      await until(async () => (await labelsAt('n1'))[movedLabel] === 'n2@files', 'it has left');
      await nodes.get('n2')?.stop();
      await returns('n1');
      await reports('n1');
      t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'migrating' });
      t.deepEqual([exportsAt('n1'), exportsAt('n2')], [[], []], 'n2 may have changed its data');
      await declareLost(store, 'n2', { topic: 'volume' });
      t.like(await end, { code: 'NodeLost' });
      t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'error', fault: { code: 'NodeLost' } });
      await reports('n1');
      t.is((await labelsAt('n1'))[movedLabel], 'n2@files');
      await start('n2');
      await until(async () => (await volumesOf(store).lookup(id)).status === usable, 'it can be used');
      t.like(await volumesOf(store).lookup(id), { node: 'n2', migration: '' });
      t.true((await readFile(pathAt('n2', id))).equals(data));
      t.deepEqual(await problems(), []);
      t.deepEqual([exportsAt('n1'), exportsAt('n2')], [[], exported(id)]);
    },
  );
}

test.serial('an attached volume whose hosts wrote again after all data had arrived is not there', async (t) => {
  const { id } = await makeVolume(attached);
  const { driver, target } = at('n1');
  const [label, ensure] = [driver.labelVolume.bind(driver), target.ensureExport.bind(target)];
  let hasFailed = false;
  driver.labelVolume = async (spec) => {
    if (spec.labels[movedLabel] === undefined) return label(spec);
    hasFailed = true;
    throw new Error('its disk is full');
  };
  target.ensureExport = async (spec) => {
    await ensure(spec);
    if (!hasFailed) return;
    const file = await open(pathAt('n1', id), 'r+');
    await file.write('written later', 0);
    await file.close();
    await lose('n1');
    throw new Error('its power fails');
  };
  await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'NodeLost' });
  target.ensureExport = ensure;
  await reports('n2');
  t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'error', fault: { code: 'NodeLost' } });
  await returns('n1');
  await until(async () => (await volumesOf(store).lookup(id)).status === 'in-use', 'it can be used');
  t.is((await volumesOf(store).lookup(id)).node, 'n1');
  t.is((await readFile(pathAt('n1', id))).toString('utf8', 0, 13), 'written later');
  t.deepEqual(await problems(), []);
});

for (const isRemoved of [false, true]) {
  const returning = isRemoved ? 'was removed from the cluster' : 'was lost';
  test.serial(
    `a volume that is deleted at its destination does not come back with a source that ${returning}`,
    async (t) => {
      const { id } = await makeVolume(unattached);
      const act = async () => {
        await lose('n1');
        throw new Error('its power fails');
      };
      onLeaving(act, { isBefore: true });
      await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'NodeLost' });
      await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it can be used');
      await volumes.delete(id, deadline);
      await nodes.get('n1')?.stop();
      if (isRemoved) await until(removed, 'no address of n1 is in quarantine', 30_000);
      await start('n1');
      t.is(await volumesOf(store).find(id), undefined);
      await until(async () => (await at('n1').driver.listVolumes()).length === 0, 'its storage is removed', 30_000);
      t.is(await volumesOf(store).find(id), undefined);
      t.deepEqual(await problems(), []);
    },
  );
}

test.serial('a volume that is deleted while its source is lost leaves nothing at either node', async (t) => {
  const { id } = await makeVolume(unattached);
  onLeaving(async () => {
    await nodes.get('n2')?.stop();
    await lose('n1');
  });
  await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'NodeLost' });
  await volumes.delete(id, deadline);
  await start('n2');
  await returns('n1');
  t.deepEqual(await problems(), []);
  const left = await Promise.all(['n1', 'n2'].map((name) => at(name).driver.listVolumes()));
  t.deepEqual(left.flat(), []);
  t.deepEqual(await Array.fromAsync(migrationsOf(store).iterate(store.keys.nodeMigrations('n2'))), []);
});
