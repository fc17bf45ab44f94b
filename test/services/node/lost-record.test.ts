import test from 'ava';
import type { VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Redis has lost a record, and the first try to make it again fails: the node tries until the record is there. */

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 60_000 };
const often = { report_interval: '1' };

/** Its labels cannot be written as long as `fault` is there; it fails its setup while `isAway`. */
class StubbornDriver extends FakeDriver {
  fault: Error | undefined;
  isAway = false;

  override async setup(): Promise<void> {
    if (this.isAway) throw errors.storageUnusable('/dev/sdb', 'it is not there');
  }

  override async labelVolume(volume: VolumeSpec): Promise<void> {
    if (this.fault) throw this.fault;
    await super.labelVolume(volume);
  }
}

let cluster: Cluster;
let store: Store;
let driver: StubbornDriver;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new StubbornDriver();
});
test.afterEach.always(() => cluster.close());

const backends = () => [
  { name: 'fast', driver: new FakeDriver(), target: new FakeTarget() },
  { name: 'slow', driver, target: new FakeTarget() },
];

/** A volume that Redis has forgotten, with the label of an address that another node has meanwhile. */
async function forgotten(): Promise<string> {
  const commands = await cluster.commands();
  const first = await cluster.node('n1', often, backends());
  const { id } = await commands.create({ ...newVolume, node: 'n1@slow' }, deadline);
  await first.stop();
  const [volume] = await driver.listVolumes();
  await driver.labelVolume({ id, size: 1, sizeBytes: 2 ** 30, labels: { ...volume?.labels, address: 'e5.0' } });
  await store.redis.flushall();
  await store.redis.hset(store.keys.shelfOwners(), '5', 'n2');
  driver.fault = new Error('the labels are read-only');
  return id;
}

const problems = async () => (await lookupNode(store, 'n1')).problems.join('\n');

for (const when of ['the start', 'the return of a backend'] as const) {
  test.serial(`after ${when}`, async (t) => {
    const id = await forgotten();
    driver.isAway = when !== 'the start';
    await cluster.node('n1', often, backends());
    driver.isAway = false;
    await until(async () => /read-only/.test(await problems()), 'the failure is a problem of the node');
    const reported = async () => (await lookupNode(store, 'n1')).reportTime ?? 0;
    const before = await reported();
    await until(async () => (await reported()) > before + 3000, 'a few reports have passed');
    t.regex(await problems(), /read-only/, 'it lasts as long as its cause');

    driver.fault = undefined;
    const restored = await until(() => volumesOf(store).find(id), 'the record is there');
    t.like(restored, { status: 'available', node: 'n1', backend: 'slow', userId: 'user', address: '' });
    await until(async () => (await problems()) === '', 'no problem is left');
  });
}

test.serial('until the storage is removed', async (t) => {
  const id = await forgotten();
  await cluster.node('n1', often, backends());
  await until(async () => /read-only/.test(await problems()), 'the failure is a problem of the node');
  const nodes = await cluster.nodeCommands();
  await nodes.audit('n1', { repair: false, remove: [id] }, deadline);
  await until(async () => (await problems()) === '', 'no problem is left');
  t.deepEqual(await driver.listVolumes(), []);
  t.is(await volumesOf(store).find(id), undefined);
});
