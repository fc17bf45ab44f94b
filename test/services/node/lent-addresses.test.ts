import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { removeNode } from '../../../lib/client/remove-node.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import type { Flags } from '../../../lib/flags/definitions.ts';
import { findNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { disagreements } from '../../support/agreement.ts';
import { loseAttachments } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Addresses that volumes keep when they migrate while attached go back once no host uses them, however the attachment ended. */

const deadline = { deadlineMs: 120_000 };

class AoeTarget extends FakeTarget {
  override readonly name = 'aoe';
}

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let machines: Map<string, { driver: FileDriver; target: FakeTarget }>;
let n1: BlockStore;
let n2: BlockStore;

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  volumes = await cluster.commands();
  machines = new Map();
  n1 = await node('n1');
  n2 = await node('n2');
});
test.afterEach.always(() => cluster.close());

async function node(name: string, given: Partial<Record<keyof Flags, string>> = {}): Promise<BlockStore> {
  const directory = join(cluster.directory, `storage-of-${name}`);
  await mkdir(directory, { recursive: true });
  // What outlives the daemon.
  const machine = machines.get(name) ?? { driver: new FileDriver({ directory }), target: new AoeTarget() };
  machines.set(name, machine);
  const flags = {
    report_interval: '1',
    slots_per_shelf: '16',
    address_quarantine: '1',
    num_shell_tries: '1',
    ...given,
  };
  return cluster.node(name, flags, { name: 'files', ...machine });
}

function exportsOf(name: string): string[] {
  return [...(machines.get(name)?.target.exports.values() ?? [])].map(({ address }) => address);
}

async function attachedAt(name: string): Promise<VolumeState> {
  const { id } = await volumes.create({ size: 0, userId: 'user', projectId: 'project', node: name }, deadline);
  return volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
}

/** Returns a volume that n2 has at an address of n1. */
async function lent(): Promise<VolumeState> {
  const { id, address } = await attachedAt('n1');
  await new MigrationCommands(store, volumes, 'volume').migrate(id, { to: 'n2' }, deadline);
  await until(async () => (await problems()).length === 0, 'its former storage is gone');
  const moved = await volumesOf(store).lookup(id);
  if (moved.lender !== 'n1' || moved.address !== address) throw new Error('n1 lends nothing');
  return moved;
}

async function problems({ exportsUnattached = false } = {}): Promise<string[]> {
  const storages = await Promise.all(
    Array.from(machines, async ([name, { driver, target }]) => ({
      node: name,
      volumes: await driver.listVolumes(),
      exports: [...target.exports].map(([id, { address }]) => ({ id, address })),
      exportsUnattached,
    })),
  );
  return disagreements(store, storages);
}

/** The node with the same storage exports unattached volumes from now on. */
async function exportUnattached(): Promise<void> {
  await n2.stop();
  n2 = await node('n2', { export_unattached: 'true' });
}

/** The volume is exported unattached at an address of its own node. */
async function isOnOwnAddress(id: string): Promise<boolean> {
  const { address, lender } = await volumesOf(store).lookup(id);
  const owner = await store.redis.hget(store.keys.shelfOwners(), address.replace(/^e(\d+)\..*/, '$1'));
  return owner === 'n2' && lender === '' && exportsOf('n2').join(' ') === address;
}

async function loseN2(): Promise<void> {
  await n2.stop();
  await until(() => isDown('n2'), 'n2 is down');
  await declareLost(store, 'n2', { topic: 'volume' });
}

async function isDown(name: string): Promise<boolean> {
  return (await findNode(store, name))?.state !== 'up';
}

async function reports(name: string, count: number): Promise<void> {
  const times = new Set<number>();
  const reported = async () => times.add((await findNode(store, name))?.reportTime ?? 0).size > count;
  await until(reported, `${name} reported ${count} times`);
}

/** Neither a node that its volume uses nor one that an address needs can be removed. */
async function removeWhenRested(name: string): Promise<void> {
  const remove = () =>
    removeNode(store, name, { topic: 'volume' }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'AddressesQuarantined') return false;
        throw error;
      },
    );
  await until(remove, `${name} is removed`);
}

test.serial('a lent address goes back when a node returns whose hosts were detached while it was lost', async (t) => {
  const { id, address } = await lent();
  await loseN2();
  await volumes.detach(id, deadline);
  t.deepEqual(exportsOf('n2'), [address], 'a host may still use it there');
  t.not((await attachedAt('n1')).address, address);

  n2 = await node('n2');
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
  t.like(await volumesOf(store).lookup(id), { attachStatus: 'detached', address: '', lender: '' });
  t.truthy(await store.redis.zscore(store.keys.quarantine('n1'), address), 'it rests at its node');
  t.deepEqual(exportsOf('n2'), []);
  t.deepEqual(await problems(), []);
  const { address: next } = await volumes.attach(id, { instanceId: 'i-2', mountpoint: '/dev/vdb' }, deadline);
  t.is(await store.redis.hget(store.keys.shelfOwners(), next.replace(/^e(\d+)\..*/, '$1')), 'n2');
  t.deepEqual(await problems(), []);
});

test.serial(
  'the next daemon of a node gives nobody an address that it lends, also where the record cannot be read',
  async (t) => {
    const { id, address } = await lent();
    await store.redis.hset(store.keys.volume(id), 'status', 'unknown');
    await n1.stop();
    n1 = await node('n1');
    const others = await Promise.all([1, 2, 3].map(() => attachedAt('n1')));
    t.false(others.some((other) => other.address === address));
  },
);

test.serial(
  'an address that returns with its volume is given to nobody else, although the migration fails',
  async (t) => {
    const { id, address } = await lent();
    const { driver } = machines.get('n1') ?? {};
    if (!driver) throw new Error('n1 has no driver');
    const listed = driver.listVolumes.bind(driver);
    driver.listVolumes = async () => {
      const { node: at, status } = await volumesOf(store).lookup(id);
      if (at === 'n1' && status === 'migrating') throw errors.lvmFailed('lvs', 'simulated');
      return listed();
    };
    const migrations = new MigrationCommands(store, volumes, 'volume');
    await t.throwsAsync(migrations.migrate(id, { to: 'n1' }, deadline), { code: 'ArrivalFailed' });
    driver.listVolumes = listed;
    t.like(await volumesOf(store).lookup(id), { node: 'n1', status: 'error', address, lender: '' });

    await reports('n1', 3); // the first one ends the loan, and the quarantine is a second
    t.not((await attachedAt('n1')).address, address);
    await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
    t.like(await volumesOf(store).lookup(id), { status: 'in-use', address, lender: '' });
    t.true(exportsOf('n1').includes(address), 'its hosts go on');
    await until(async () => (await problems()).length === 0, 'its former storage is gone');
  },
);

test.serial('a node can be removed once such a volume is back', async (t) => {
  const { id } = await lent();
  await loseN2();
  await volumes.detach(id, deadline);
  await n1.stop();
  await t.throwsAsync(removeNode(store, 'n1', { topic: 'volume' }), { code: 'AddressesLent', message: new RegExp(id) });
  n2 = await node('n2');
  await until(async () => (await volumesOf(store).lookup(id)).status === 'available', 'it is available');
  await removeWhenRested('n1');
  t.deepEqual(exportsOf('n2'), []);
});

test.serial('an audit returns the address of a volume that its record shows as detached', async (t) => {
  const { id, address } = await lent();
  // As its repair of a contradictory record leaves it.
  machines.get('n2')?.target.exports.delete(id);
  await loseAttachments(store, id);
  await store.redis.hset(store.keys.volume(id), { status: 'available', attachStatus: 'detached' });
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n2', { repair: true, remove: [] }, deadline);
  const own = findings.filter(({ object }) => object === `volume ${id}`);
  t.deepEqual(
    own.map(({ what, fixed }) => [what, fixed]),
    [[`has address ${address} of node n1, and is not attached`, true]],
  );
  t.like(await volumesOf(store).lookup(id), { status: 'available', address: '', lender: '' });
  t.truthy(await store.redis.zscore(store.keys.quarantine('n1'), address), 'it rests at its node');
});

test.serial('a host that attaches again what Redis has lost that it has keeps the lent address', async (t) => {
  const { id, address } = await lent();
  await loseAttachments(store, id);
  await store.redis.hset(store.keys.volume(id), { status: 'available', attachStatus: 'detached' });
  const nodes = await cluster.nodeCommands();
  await nodes.audit('n2', { repair: true, remove: [] }, deadline);
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached', address, lender: 'n1' });
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  t.like(await volumesOf(store).lookup(id), { attachStatus: 'attached', address, lender: 'n1' });
  t.deepEqual(exportsOf('n2'), [address]);
  t.deepEqual(await problems(), []);
});

test.serial('a volume that is exported unattached leaves its lent address when it is detached', async (t) => {
  const { id, address } = await lent();
  await exportUnattached();
  await volumes.detach(id, deadline);
  t.false(exportsOf('n2').includes(address), 'nobody answers where another volume may be');
  await until(() => isOnOwnAddress(id), 'it is exported at an address of its node');
  t.deepEqual(await problems({ exportsUnattached: true }), []);
});

test.serial('a volume that is exported unattached leaves its lent address when its lost node returns', async (t) => {
  const { id } = await lent();
  await loseN2();
  await volumes.detach(id, deadline);
  n2 = await node('n2', { export_unattached: 'true' });
  await until(() => isOnOwnAddress(id), 'it is exported at an address of its node');
  t.deepEqual(await problems({ exportsUnattached: true }), []);
});

test.serial('a volume without an address gets one where unattached volumes are exported', async (t) => {
  const { id } = await lent();
  await volumes.detach(id, deadline);
  t.like(await volumesOf(store).lookup(id), { address: '' });
  await exportUnattached();
  await until(() => isOnOwnAddress(id), 'it is exported at an address of its node');
  t.deepEqual(await problems({ exportsUnattached: true }), []);
});

test.serial('an export of unattached volumes that lost their records goes on at its lent address', async (t) => {
  const { id, address } = await lent();
  await exportUnattached();
  await n2.stop();
  await loseAttachments(store, id);
  const record = await volumesOf(store).lookup(id);
  await store.redis.del(store.keys.volume(id));
  n2 = await node('n2', { export_unattached: 'true' });
  t.like(await volumesOf(store).lookup(id), { address, lender: 'n1', projectId: record.projectId });
  t.deepEqual(exportsOf('n2'), [address], 'a host may use it');
  t.not((await attachedAt('n1')).address, address);
});

test.serial('a lent address goes back after a failed attach of what Redis has lost that it is attached', async (t) => {
  const { id } = await lent();
  const { target } = machines.get('n2') ?? {};
  if (!target) throw new Error('n2 has no target');
  await loseAttachments(store, id);
  await store.redis.hset(store.keys.volume(id), { status: 'available', attachStatus: 'detached' });
  target.exportFault = errors.exportFailed(id, 'it cannot be started');
  await t.throwsAsync(volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline), {
    code: 'ExportFailed',
  });
  target.exportFault = undefined;
  await until(async () => (await volumesOf(store).lookup(id)).lender === '', 'the loan ends with a report', 20_000);
  t.like(await volumesOf(store).lookup(id), { status: 'error_attaching', address: '' });
  t.deepEqual(exportsOf('n2'), []);
  t.deepEqual(await problems(), []);
});

/** Deletes a volume that n2 has at an address of n1, and that is still exported there. */
async function deletedWhileLost(): Promise<VolumeState> {
  const volume = await lent();
  await loseN2();
  await volumes.detach(volume.id, deadline);
  await volumes.delete(volume.id, deadline);
  return volume;
}

test.serial(
  'a volume deleted while its node is lost keeps its lent address from others until the node is back',
  async (t) => {
    const { id, address } = await deletedWhileLost();
    t.deepEqual(exportsOf('n2'), [address], 'a host may still use it there');
    await n1.stop();
    await t.throwsAsync(removeNode(store, 'n1', { topic: 'volume' }), {
      code: 'AddressesLent',
      message: new RegExp(id),
    });
    n1 = await node('n1');
    t.not((await attachedAt('n1')).address, address);

    n2 = await node('n2');
    await until(async () => (await problems()).length === 0, 'its storage is removed');
    t.deepEqual(exportsOf('n2'), []);
    const next = async () => (await attachedAt('n1')).address === address;
    await until(next, 'n1 gives the address out again', 20_000);
  },
);

test.serial('the address of such a volume goes back when its lost node is removed', async (t) => {
  const { address } = await deletedWhileLost();
  await removeWhenRested('n2');
  const next = async () => (await attachedAt('n1')).address === address;
  await until(next, 'n1 gives the address out again', 20_000);
  n2 = await node('n2');
  await until(async () => (await problems()).length === 0, 'its storage is removed');
  t.is(exportsOf('n2').length, 0);
});

test.serial(
  'another machine that answers at a lent address is a problem of the node that has the volume',
  async (t) => {
    const { id, address } = await lent();
    const { target } = machines.get('n2') ?? {};
    if (!target) throw new Error('n2 has no target');
    const problemsOf = (name: string) => store.redis.hget(store.keys.node(name), 'problems');
    target.seen = [
      { address, host: '52:54:00:00:00:09' },
      { address: address.replace(/\d+$/, '9'), host: '52:54:00:00:00:08' }, // of its lender
    ];
    const shown = await until(async () => (await problemsOf('n2')) || undefined, 'it is reported', 20_000);
    t.is(shown, `another machine, 52:54:00:00:00:09, answers at address ${address}`);
    const { findings } = await (await cluster.nodeCommands()).audit('n2', { repair: false, remove: [] }, deadline);
    t.deepEqual(
      findings.map(({ object, what }) => `${object} ${what}`),
      [`volume ${id} has address ${address}, at which another machine, 52:54:00:00:00:09, answers`],
    );
    target.seen = [];
    await until(async () => (await problemsOf('n2')) === '', 'it is reported no longer', 20_000);
  },
);
