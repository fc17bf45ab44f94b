import { randomUUID } from 'node:crypto';
import test from 'ava';
import { GroupCommands } from '../../../lib/client/group-commands.ts';
import { GroupSnapshotCommands } from '../../../lib/client/group-snapshot-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { groupSnapshotsOf, membersOf } from '../../../lib/models/group-snapshot.ts';
import { groupsOf } from '../../../lib/models/group.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { OvertakenStore } from './overtaken-store.ts';
import { fakeNode, insertVolume, transit } from '../../support/records.ts';

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = await cluster.commands();
  await fakeNode(store, 'idle', { backends: [{ capabilities: ['groupSnapshots'] }] }); // carries out no command
});
test.after.always(() => cluster.close());

const owner = { userId: 'user', projectId: 'project' };

function commandsOn(own: Store): GroupSnapshotCommands {
  return new GroupSnapshotCommands(own, new RequestClient(own), 'volume');
}

function newStore(): OvertakenStore {
  return new OvertakenStore(store.connection, cluster.flags().redis_prefix);
}

async function newGroup(): Promise<string> {
  const volumes = [];
  for (const _ of [1, 2]) volumes.push((await insertVolume(store, { node: 'idle', status: 'available' })).id);
  const groups = new GroupCommands(store, commands);
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
  const own = newStore();
  own.overtakeAfter(1, async () => void (await commandsOn(store).create(group, { id, ...owner })));
  t.like(await commandsOn(own).create(group, { id, ...owner }), { id, status: 'creating' });
  t.true(own.isOvertaken);
});

test('of two deletions of a group snapshot one joins the other, whichever is read first', async (t) => {
  const group = await newGroup();
  const { id } = await commandsOn(store).create(group, owner);
  await finish(id);
  const own = newStore();
  own.overtakeAfter(1, () => commandsOn(store).delete(id));
  await commandsOn(own).delete(id);
  t.true(own.isOvertaken);
  t.is((await groupSnapshotsOf(store).lookup(id)).status, 'deleting');
});

test('of two deletions of a group with its volumes, the one that is overtaken deletes what is left', async (t) => {
  const group = await newGroup();
  const own = newStore();
  own.overtakeAfter(2, async () => {
    await new GroupCommands(store, commands).delete(group, { volumes: true });
  });
  const late = new VolumeCommands(own, new RequestClient(own), 'volume');
  await new GroupCommands(own, late).delete(group, { volumes: true });
  t.true(own.isOvertaken);
  t.is(await groupsOf(store).find(group), undefined);
});
