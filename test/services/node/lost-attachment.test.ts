import test from 'ava';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { FoundVolume } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { instancesOf, loseAttachments } from '../../support/attachments.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Redis has lost the attachment of a volume whose export runs, and something else keeps the volume from being served. */

const deadline = { deadlineMs: 60_000 };
const often = { report_interval: '1' };

/** Its volumes cannot be used while it has a reason. */
class SuspendedDriver extends FakeDriver {
  reason: string | undefined;

  override async listVolumes(): Promise<FoundVolume[]> {
    const { reason } = this;
    const found = await super.listVolumes();
    return reason === undefined
      ? found
      : found.map(({ id, sizeBytes, labels }) => ({ id, sizeBytes, labels, unusable: reason }));
  }

  override async hasVolume(...spec: Parameters<FakeDriver['hasVolume']>): Promise<boolean> {
    return this.reason === undefined && (await super.hasVolume(...spec));
  }
}

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
let driver: SuspendedDriver;
let target: FakeTarget;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = await cluster.commands();
  [driver, target] = [new SuspendedDriver(), new FakeTarget()];
});
test.afterEach.always(() => cluster.close());

async function attached(): Promise<string> {
  const newVolume = { size: 1, userId: 'user', projectId: 'project' };
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  return id;
}

async function loseAttachment(id: string, set: Record<string, string>): Promise<void> {
  await loseAttachments(store, id);
  await store.redis.hset(store.keys.volume(id), { attachStatus: 'detached', ...set });
}

test.serial('a create that began anew failed on its storage: an audit records the attachment', async (t) => {
  await cluster.node('n1', {}, { driver, target });
  const id = await attached();
  await loseAttachment(id, { status: 'error', fault: JSON.stringify(errors.storageKept(id).toFault()) });
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.like(findings, [{ what: 'is in error, and its storage exists', fixed: true }]);
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached', fault: undefined });
  t.deepEqual((await nodes.audit('n1', { repair: false, remove: [] }, deadline)).findings, []);
});

test.serial('its storage cannot be used at a start: the export goes on, and the record follows later', async (t) => {
  const first = await cluster.node('n1', often, { driver, target });
  const id = await attached();
  await first.stop();
  await loseAttachment(id, { status: 'available' });
  driver.reason = 'the device is suspended';
  await cluster.node('n1', often, { driver, target });
  await until(async () => (await lookupNode(store, 'n1')).problems.join().includes('suspended'), 'it is a problem');
  t.true(target.exports.has(id), 'a host may be writing');
  driver.reason = undefined;
  await until(async () => (await lookupNode(store, 'n1')).problems.length === 0, 'the problem is over');
  t.like(await volumesOf(store).lookup(id), { status: 'in-use', attachStatus: 'attached' });
  t.deepEqual(await instancesOf(store, id), ['unknown']);
  t.true(target.exports.has(id));
});
