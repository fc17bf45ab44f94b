import test from 'ava';
import { followDeletion } from '../../cli/volume/follow-deletion.ts';
import type { Store } from '../../lib/redis/store.ts';
import { Cluster } from '../support/cluster.ts';
import { insertVolume, taskText, transit } from '../support/records.ts';

let cluster: Cluster;
let store: Store;
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.after.always(() => cluster.close());

const patience = { maxIdleMs: 60_000 };

async function wiped(): Promise<string> {
  const { id } = await insertVolume(store, { status: 'deleting', task: taskText('delete'), progress: '3' });
  return id;
}

test('a deletion with progress is waited for until the record is gone', async (t) => {
  const id = await wiped();
  const over = followDeletion(store, id, patience);
  await transit(store, id, 'progress', { set: { progress: '50' } });
  await transit(store, id, 'finishDelete');
  t.true(await over);
  t.false(await followDeletion(store, await wiped(), { maxIdleMs: 1 }));
});

test('a deletion that Redis forgets is not reported as done', async (t) => {
  const id = await wiped();
  const over = followDeletion(store, id, patience);
  over.catch(() => undefined); // it may fail before it is awaited
  await store.redis.hset(store.keys.volume(id), 'status', 'available');
  await store.redis.hdel(store.keys.volume(id), 'task', 'progress');
  await t.throwsAsync(over, { code: 'ChangeLost', message: /is available/ });
});

test('a deletion that fails throws its fault', async (t) => {
  const id = await wiped();
  const over = followDeletion(store, id, patience);
  over.catch(() => undefined);
  const fault = { code: 'VolumeBusy', kind: 'conflict', message: 'mounted' } as const;
  await transit(store, id, 'failDelete', { fault });
  await t.throwsAsync(over, { code: 'VolumeBusy' });
});
