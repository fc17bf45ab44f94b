import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import type { CreatedVolume, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import type { ExportSpec } from '../../../lib/targets/target.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** What goes on side by side on one node, and what waits for its turn. */

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
const deadline = { deadlineMs: 20_000 };
/** No report re-drives a task. */
const rarely = { report_interval: '600', node_down_time: '3600' };

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

test.serial('deletions that take long hold up nothing short, and only so many go on at once', async (t) => {
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  class SlowDriver extends FakeDriver {
    override async deleteVolume(volume: VolumeSpec): Promise<void> {
      running += 1;
      most = Math.max(most, running);
      await gate.promise;
      running -= 1;
      return super.deleteVolume(volume);
    }
  }
  const node = await cluster.node('n1', { ...rarely, max_operations: '2' }, { driver: new SlowDriver() });
  const commands = await cluster.commands();
  const volumes = await Promise.all(Array.from({ length: 12 }, () => commands.create(newVolume, deadline)));
  const deletions = volumes.map(({ id }) => commands.delete(id, deadline));
  await until(() => running === 8, 'eight are at it');
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  t.like(await node.getVolume(id), { attachStatus: 'attached' });
  t.is((await node.getVolume(volumes[11]?.id ?? '')).status, 'deleting');
  gate.resolve();
  await Promise.all(deletions);
  t.is(most, 8);
});

test.serial('of one volume nothing goes on side by side; many volumes do', async (t) => {
  const busy = new Set<string>();
  const overlaps: string[] = [];
  let most = 0;
  const alone = async (id: string) => {
    if (busy.has(id)) overlaps.push(id);
    busy.add(id);
    most = Math.max(most, busy.size);
    for (let turns = 0; turns < 5; turns += 1) await turn();
    busy.delete(id);
  };
  class WatchedDriver extends FakeDriver {
    override async createVolume(volume: VolumeSpec): Promise<CreatedVolume> {
      await alone(volume.id);
      return super.createVolume(volume);
    }
    override async deleteVolume(volume: VolumeSpec): Promise<void> {
      await alone(volume.id);
      return super.deleteVolume(volume);
    }
  }
  class WatchedTarget extends FakeTarget {
    override ensureExport({ id }: ExportSpec): Promise<void> {
      return alone(id);
    }
    override removeExport(id: string): Promise<void> {
      return alone(id);
    }
  }
  await cluster.node('n1', {}, { driver: new WatchedDriver(), target: new WatchedTarget() });
  const clients = await Promise.all([cluster.commands(), cluster.commands()]);
  const life = async () => {
    const [one, other] = clients;
    if (!one || !other) return;
    const { id } = await one.create(newVolume, deadline);
    // Two clients at once, on one volume: one of two has its way, the other is refused or finds it done.
    await Promise.allSettled([one.attach(id, attachment, deadline), other.attach(id, attachment, deadline)]);
    await Promise.allSettled([one.detach(id, deadline), other.detach(id, deadline)]);
    await Promise.allSettled([one.delete(id, deadline), other.delete(id, deadline)]);
  };
  await Promise.all(Array.from({ length: 20 }, life));
  t.deepEqual(overlaps, []);
  t.true(most > 5, `${most} at once`);
  const { redis, keys } = await cluster.store();
  t.is(await redis.zcard(keys.volumes()), 0);
});
