import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Redis loses that a volume has migrated from one backend of its node to another. */

const deadline = { deadlineMs: 60_000 };

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

/** One from which attached volumes migrate. */
class AoeTarget extends FakeTarget {
  override readonly name = 'aoe';
}

let exported: AoeTarget;
test.beforeEach(() => {
  exported = new AoeTarget();
});

/** A node with two backends. `isBusy`: the first one does not remove storage. */
async function start(isBusy: boolean): Promise<BlockStore> {
  const backends = await Promise.all(
    ['one', 'two'].map(async (name) => {
      const directory = join(cluster.directory, name);
      await mkdir(directory, { recursive: true });
      const driver = new FileDriver({ directory });
      if (name === 'one' && isBusy) driver.deleteVolume = () => Promise.reject(new Error('busy'));
      return { name, driver, target: exported };
    }),
  );
  return cluster.node('n1', { report_interval: '1', node_down_time: '60' }, backends);
}

/** Redis has the record from before again. */
async function goBackTo(store: Store, id: string, record: Record<string, string>): Promise<void> {
  await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
  await commit(store, { edits: [{ kind: 'volume', id, insert: true, set: record }] });
}

/** Such a node with a volume on its first backend. */
async function withVolume(isBusy: boolean) {
  const node = await start(isBusy);
  const store = await cluster.store();
  const volumes = await cluster.commands();
  const migrations = new MigrationCommands(store, volumes, 'volume');
  const request = { size: 0, userId: 'user', projectId: 'project', node: 'n1@one' };
  const { id } = await volumes.create(request, deadline);
  return { node, store, volumes, migrations, id };
}

const pathOn = (backend: string, id: string) => join(cluster.directory, backend, `volume-${id}`);

for (const isBusy of [true, false]) {
  for (const isRestarted of [true, false]) {
    const former = isBusy ? 'with its former storage' : 'without its former storage';
    const found = isRestarted ? 'at a start' : 'by an audit';
    test.serial(`such a volume is attached where it went, ${former}, ${found}`, async (t) => {
      const { node, store, volumes, migrations, id } = await withVolume(isBusy);
      const before = await store.redis.hgetall(store.keys.volume(id));
      await migrations.migrate(id, { to: 'n1@two' }, deadline);
      const file = await open(pathOn('two', id), 'r+');
      await file.write(randomBytes(4096), 0, 4096, 2 ** 20);
      await file.close();
      const data = await readFile(pathOn('two', id));
      const formers = () => store.redis.zcard(store.keys.nodeFormer('n1'));
      if (!isBusy) await until(async () => (await formers()) === 0, 'its former storage is removed', 60_000);
      if (isRestarted) await node.stop();
      await goBackTo(store, id, before);
      const attach = () => volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
      if (isRestarted) await start(isBusy);
      else {
        await t.throwsAsync(attach(), { code: 'StorageMissing' });
        await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
      }
      const isThere = async () => {
        const volume = await volumesOf(store).find(id);
        return volume?.backend === 'two' && volume.status === 'available';
      };
      await until(isThere, 'its record follows', 60_000);
      t.false(exported.specs.some((spec) => spec.id === id));
      await attach();
      t.is(exported.specs.findLast((spec) => spec.id === id)?.path, pathOn('two', id));
      t.true((await readFile(pathOn('two', id))).equals(data));
      const audits = await cluster.nodeCommands();
      const { findings } = await audits.audit('n1', { repair: false, remove: [] }, deadline);
      t.deepEqual(findings, []);
    });
  }
}

for (const isBusy of [true, false]) {
  const former = isBusy ? 'with its former storage' : 'without its former storage';
  test.serial(`hosts that have such a volume keep its export, ${former}`, async (t) => {
    const { node, store, volumes, migrations, id } = await withVolume(isBusy);
    const { address } = await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
    const before = await store.redis.hgetall(store.keys.volume(id));
    await migrations.migrate(id, { to: 'n1@two' }, deadline);
    const formers = () => store.redis.zcard(store.keys.nodeFormer('n1'));
    if (!isBusy) await until(async () => (await formers()) === 0, 'its former storage is removed');
    await node.stop();
    await goBackTo(store, id, before);
    const ended: string[] = [];
    exported.removeExport = async (one) => void ended.push(one);
    await start(isBusy);
    const isThere = async () => {
      const volume = await volumesOf(store).find(id);
      return volume?.backend === 'two' && volume.status === 'in-use' && volume.address === address;
    };
    await until(isThere, 'its record follows');
    t.deepEqual(ended, []);
    t.like(exported.exports.get(id), { address, path: pathOn('two', id) });
  });
}
