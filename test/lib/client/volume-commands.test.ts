import test from 'ava';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { instancesOf, newAttachment } from '../../support/attachments.ts';
import { fakeNode, insertVolume, transit } from '../../support/records.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = await cluster.commands();
  await fakeNode(store, 'idle', { backends: [{}] }); // carries out no command, and replies to none
});
test.after.always(() => cluster.close());

test('a detachment whose reply is lost is done, also where somebody has attached the volume again', async (t) => {
  const { id } = await insertVolume(store, { node: 'idle' });
  const attach = async (instanceId: string) => {
    await transit(store, id, 'startAttach', { attachment: { instanceId } });
    await transit(store, id, 'finishAttach');
  };
  await attach('i-1');
  const detached = commands.detach(id, { deadlineMs: 60_000 });
  await until(async () => (await volumesOf(store).lookup(id)).attachStatus === 'detaching', 'it is being detached');
  await transit(store, id, 'finishDetach');
  await attach('i-2');
  t.like(await detached, { id });
  t.deepEqual(await instancesOf(store, id), ['i-2']);
});

test('an attachment whose reply is lost is not taken for one that somebody else has made since', async (t) => {
  const { id } = await insertVolume(store, { node: 'idle', status: 'available' });
  const attached = commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, { deadlineMs: 60_000 });
  attached.catch(() => undefined); // it may fail before it is awaited
  await until(async () => (await volumesOf(store).lookup(id)).attachStatus === 'attaching', 'it is being attached');
  // It ended, and another one followed, before the requester reads the record.
  const { id: other, edit } = newAttachment(id, { instanceId: 'i-2' }, 'attached');
  await commit(store, {
    edits: [
      {
        kind: 'volume',
        id,
        set: { attachStatus: 'attached', attachments: other },
        unset: ['task', 'attachment', 'requesters'],
      },
      edit,
    ],
  });
  await t.throwsAsync(attached, { code: 'ChangeLost', message: /in-use, attached/ });
  t.deepEqual(await instancesOf(store, id), ['i-2']);
});

test('a create that is repeated after a failed attach or detach succeeds: the volume was created', async (t) => {
  const fault = { code: 'ExportFailed', kind: 'failed', message: 'vblade ended', time: 1 } as const;
  const request = { size: 1, userId: 'user', projectId: 'project' };
  for (const state of [
    { status: 'error_attaching', attachStatus: 'detached' },
    { status: 'error_detaching', attachStatus: 'attached', instanceId: 'i-1' },
  ]) {
    const fields = { node: 'idle', fault: JSON.stringify(fault), ...state };
    const { id } = await insertVolume(store, fields);
    t.like(await commands.create({ ...request, id }, { deadlineMs: 60_000 }), { id, status: state.status });
  }
  const { id } = await insertVolume(store, { node: 'idle', status: 'error', fault: JSON.stringify(fault) });
  await t.throwsAsync(commands.create({ ...request, id }, { deadlineMs: 60_000 }), { code: 'ExportFailed' });
});

test('a create whose id another volume gives up just then is carried out', async (t) => {
  const { id } = await insertVolume(store, { node: 'idle' });
  await transit(store, id, 'startDelete');
  /** Ends the deletion once a script has refused the id. */
  class DeletedMeanwhile extends Store {
    override async run(...args: Parameters<Store['run']>) {
      const answer = await super.run(...args);
      if (answer[0] !== 'ok' && (await volumesOf(store).find(id))) await transit(store, id, 'finishDelete');
      return answer;
    }
  }
  const own = new DeletedMeanwhile(store.connection, cluster.flags().redis_prefix);
  const request = { id, size: 1, userId: 'user', projectId: 'project' };
  t.like(await new VolumeCommands(own, new RequestClient(own), 'volume').create(request), { id, status: 'creating' });
});

test('a deadline that passes while the backend is not served names its problem', async (t) => {
  await fakeNode(store, 'late', { backends: [{ problem: 'volume group vg0 does not exist', accepting: false }] });
  const { id } = await insertVolume(store, { node: 'late', status: 'available' });
  await t.throwsAsync(commands.delete(id, { deadlineMs: 50 }), {
    code: 'NotFinished',
    message: /within 50 ms; backend late@fake: volume group vg0 does not exist$/,
  });
});

test('a deadline that passes while the record of the node is gone, or cannot be read, is no other error', async (t) => {
  const { id } = await insertVolume(store, { node: 'forgotten', status: 'available' });
  const late = { code: 'NotFinished', message: /the record of its node forgotten cannot be read$/ };
  await t.throwsAsync(commands.delete(id, { deadlineMs: 50 }), late);
  await store.redis.hset(store.keys.node('forgotten'), 'reportTime', 'noon');
  await t.throwsAsync(commands.delete(id, { deadlineMs: 50 }), late);
});
