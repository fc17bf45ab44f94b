import { randomUUID } from 'node:crypto';
import test from 'ava';
import { GroupCommands } from '../../../lib/client/group-commands.ts';
import { GroupSnapshotCommands } from '../../../lib/client/group-snapshot-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { groupSnapshotsOf, membersOf } from '../../../lib/models/group-snapshot.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { fakeNode, insertVolume, transit } from '../../support/records.ts';

let cluster: Cluster;
let store: Store;
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  await fakeNode(store, 'idle', { backends: [{ capabilities: ['groupSnapshots'] }] }); // carries out no command
});
test.after.always(() => cluster.close());

const owner = { userId: 'user', projectId: 'project' };

/** Another request begins once this one has read the first record. */
class Overtaken extends Store {
  overtaking?: (() => Promise<void>) | undefined;

  override async read<T>(...args: Parameters<typeof Store.prototype.read<T>>): Promise<T> {
    const answer = await super.read<T>(...args);
    const { overtaking } = this;
    delete this.overtaking;
    await overtaking?.();
    return answer;
  }
}

function commandsOn(own: Store): GroupSnapshotCommands {
  return new GroupSnapshotCommands(own, new RequestClient(own), 'volume');
}

async function newGroup(): Promise<string> {
  const volumes = [];
  for (const _ of [1, 2]) volumes.push((await insertVolume(store, { node: 'idle', status: 'available' })).id);
  const groups = new GroupCommands(store, await cluster.commands());
  const { id } = await groups.create(owner);
  await groups.update(id, { add: volumes });
  return id;
}

/** As its node would. */
async function finish(id: string): Promise<void> {
  const snapshots = await membersOf(store, id);
  for (const { volume } of snapshots) await transit(store, volume, 'finishGroupSnapshot');
  const made = { status: 'available' };
  await commit(store, {
    edits: [
      { kind: 'group-snapshot', id, set: made },
      ...snapshots.map((snapshot) => ({ kind: 'snapshot' as const, id: snapshot.id, set: made })),
    ],
  });
}

test('of two creations of a group snapshot with the same id, one joins the other, whichever is read first', async (t) => {
  const group = await newGroup();
  const id = randomUUID();
  const own = new Overtaken(store.connection, cluster.flags().redis_prefix);
  own.overtaking = async () => void (await commandsOn(store).create(group, { id, ...owner }));
  t.like(await commandsOn(own).create(group, { id, ...owner }), { id, status: 'creating' });
  t.false('overtaking' in own);
});

test('of two deletions of a group snapshot one joins the other, whichever is read first', async (t) => {
  const group = await newGroup();
  const { id } = await commandsOn(store).create(group, owner);
  await finish(id);
  const own = new Overtaken(store.connection, cluster.flags().redis_prefix);
  own.overtaking = () => commandsOn(store).delete(id);
  await commandsOn(own).delete(id);
  t.false('overtaking' in own);
  t.is((await groupSnapshotsOf(store).lookup(id)).status, 'deleting');
});
