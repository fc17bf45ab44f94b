import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Redis is emptied while one of two backends of a node, whose targets share their exports, is not served. */

/** Fails its setup as long as `fault` is there, as while a disk is not found. */
class LateDriver extends FakeDriver {
  fault: Error | undefined;

  override async setup(): Promise<void> {
    if (this.fault) throw this.fault;
  }
}

let cluster: Cluster;
let store: Store;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: ['52:54:00:00:00:01'] };
const late = errors.storageUnusable('/dev/sdb', 'it is not there');

for (const when of ['before the start', 'after the start'] as const) {
  test.serial(`a backend that is late keeps its exports, and gets its records back: emptied ${when}`, async (t) => {
    const [target, driver] = [new FakeTarget(), new LateDriver()];
    const fast = new FakeDriver();
    const backends = [
      { name: 'fast', driver: fast, target },
      { name: 'slow', driver, target },
    ];
    const commands = await cluster.commands();
    const first = await cluster.node('n1', {}, backends);
    const onSlow = { ...newVolume, node: 'n1@slow' };
    const attached = await commands.create(onSlow, deadline);
    const unattached = await commands.create({ ...onSlow, name: 'unattached' }, deadline);
    await commands.attach(attached.id, attachment, deadline);
    await first.stop();
    const exported = target.exports.get(attached.id);
    driver.fault = late;
    if (when === 'before the start') await store.redis.flushall();
    const node = await cluster.node('n1', {}, backends);
    if (when === 'after the start') await store.redis.flushall();

    const other = await until(() => commands.create({ ...newVolume, node: 'n1@fast' }, deadline), 'it takes volumes');
    t.not(other.address, attached.address, 'the address stays reserved');
    const { findings } = await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
    t.deepEqual(findings, []);
    t.deepEqual(target.exports.get(attached.id), exported, 'hosts use it');

    driver.fault = undefined;
    await until(async () => (await volumesOf(store).find(attached.id)) !== undefined, 'its record is restored');
    t.like(await node.getVolume(attached.id), {
      status: 'in-use',
      attachStatus: 'attached',
      address: attached.address,
      backend: 'slow',
      attachHosts: attachment.hosts,
    });
    await until(async () => (await volumesOf(store).find(unattached.id)) !== undefined, 'the other one as well');
    t.like(await node.getVolume(unattached.id), { status: 'available', name: 'unattached', backend: 'slow' });
    t.deepEqual([...target.exports.keys()], [attached.id]);
    await until(async () => (await lookupNode(store, 'n1')).problems.length === 0, 'no problem is left');
    const volumes = [...(await fast.listVolumes()), ...(await driver.listVolumes())];
    const exports = [...target.exports.values()];
    t.deepEqual(await disagreements(store, [{ node: 'n1', volumes, exports }]), []);
  });
}
