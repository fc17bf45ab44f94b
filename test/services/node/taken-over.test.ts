import { randomUUID } from 'node:crypto';
import test from 'ava';
import { declareLost } from '../../../lib/client/declare-lost.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { fakeNode, insertVolume, taskText } from '../../support/records.ts';
import { SharedDriver } from '../../support/shared-driver.ts';
import { until } from '../../support/until.ts';

/**
 * Redis has lost changes of a volume on shared storage and its snapshots while its node is gone: no node compares them. The node that takes
 * the volume over does.
 */

const deadline = { deadlineMs: 60_000 };

interface Place {
  store: Store;
  commands: VolumeCommands;
  volume: VolumeState;
}

/** Ways in which the volume becomes one of n2; `task`: what was under way for it. */
const ways: readonly { name: string; task?: 'snapshot'; begin: (place: Place) => Promise<unknown> }[] = [
  { name: 'by a request that is refused', begin: ({ commands, volume }) => commands.delete(volume.id).catch(() => {}) },
  {
    name: 'by a request that is carried out',
    begin: ({ commands, volume }) => commands.extend(volume.id, 2, deadline),
  },
  { name: 'by a node that continues its task', task: 'snapshot', begin: async () => {} },
  {
    name: 'by the declaration of the loss of its node',
    begin: ({ store }) => declareLost(store, 'n1', { topic: 'volume' }),
  },
  {
    name: 'a second time by the same daemon',
    begin: async ({ store, commands, volume }) => {
      await commands.extend(volume.id, 2, deadline);
      // As Redis has it again.
      await commit(store, { edits: [{ kind: 'volume', id: volume.id, set: { node: 'n1' } }] });
      await commands.delete(volume.id).catch(() => {});
    },
  },
];

for (const { name, task, begin } of ways) {
  test(`lost snapshots and an extension are recorded again where their volume is taken over ${name}`, async (t) => {
    const cluster = await Cluster.start();
    t.teardown(() => cluster.close());
    const store = await cluster.store();
    const driver = new SharedDriver();
    await fakeNode(store, 'n1', { backends: [{ shared: 'fake:pool' }] });
    const volume = await insertVolume(store, { status: 'available', availabilityZone: 'nova' });
    const labels = { user: 'user', project: 'project', size: '1', created: String(volume.createTime) };
    const spec = { id: volume.id, size: 1, sizeBytes: 2 ** 30, labels };
    await driver.createVolume(spec);
    await driver.extendVolume({ ...spec, size: 3, sizeBytes: 3 * 2 ** 30 });
    const lost = randomUUID();
    await driver.snapshots.createSnapshot({ id: lost, volume: spec, labels: { ...labels, name: 'kept' } });
    const deleted = randomUUID();
    const record = { volume: volume.id, userId: 'user', projectId: 'project', size: '1', createTime: labels.created };
    const insert = { kind: 'snapshot', id: deleted, insert: true, set: { ...record, status: 'available' } } as const;
    await commit(store, { edits: [insert] });
    await cluster.node('n2', {}, { driver });
    await store.redis.del(store.keys.lease('n1'));
    if (task) {
      const made = randomUUID();
      const set = { ...record, name: 'made', status: 'creating' };
      await commit(store, {
        edits: [
          { kind: 'snapshot', id: made, insert: true, set },
          { kind: 'volume', id: volume.id, set: { snapshot: made, task: taskText(task) } },
        ],
      });
    }
    await begin({ store, commands: await cluster.commands(), volume });
    await until(async () => (await snapshotsOf(store).find(lost)) !== undefined, 'its record is made again');
    t.like(await snapshotsOf(store).lookup(lost), { volume: volume.id, name: 'kept', status: 'available' });
    const isMarked = async () => (await snapshotsOf(store).lookup(deleted)).status === 'error';
    await until(isMarked, 'that of a snapshot without storage is in error');
    t.like(await volumesOf(store).lookup(volume.id), { node: 'n2', status: 'available', size: 3 });
  });
}
