import test from 'ava';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { auditRecords } from '../../../lib/audit/records.ts';
import { quotaReports } from '../../../lib/client/quota-report.ts';
import { removeQuota, setQuota } from '../../../lib/client/quotas.ts';
import { TransferCommands } from '../../../lib/client/transfer-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { asError } from '../../../lib/errors.ts';
import { everyProject } from '../../../lib/models/quota.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { disagreements } from '../../support/agreement.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 120_000 };
const gibibyte = 2 ** 30;

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let snapshots: SnapshotCommands;
let driver: FaultyDriver;

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FaultyDriver(new FakeDriver());
  // On a busy machine its process may wait for long.
  await cluster.node('n1', { report_interval: '1', node_down_time: '120' }, { driver });
  volumes = await cluster.commands();
  snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
});
test.afterEach.always(async () => {
  for await (const { id, task } of volumesOf(store).iterate(store.keys.volumes())) {
    if (!task) await volumes.delete(id, deadline);
  }
});
test.after.always(() => cluster.close());

const create = (projectId: string, size = 1, id?: string) =>
  volumes.create({ size, userId: 'user', projectId, ...(id === undefined ? {} : { id }) }, deadline);

async function used(project: string): Promise<[number, number, number]> {
  const [report] = await quotaReports(store, [project]);
  return [report?.volumes.used ?? -1, (report?.bytes.used ?? -1) / gibibyte, report?.snapshots.used ?? -1];
}

test.serial(
  'volumes, their sizes and snapshots count, and what is beyond a limit is refused with the reason',
  async (t) => {
    await setQuota(store, 'web', { volumes: 2, bytes: 5 * gibibyte, snapshots: 1 });
    const { id } = await create('web', 2);
    await t.throwsAsync(create('web', 4), {
      code: 'QuotaExceeded',
      message: 'the quota of project web has no room: 4 GiB asked, 2 of 5 GiB used',
    });
    const snapshot = await snapshots.create(id, { userId: 'user', projectId: 'web' }, deadline);
    t.deepEqual(await used('web'), [1, 4, 1]);
    await t.throwsAsync(snapshots.create(id, { userId: 'user', projectId: 'web' }, deadline), {
      code: 'QuotaExceeded',
      message:
        'the quota of project web has no room: 2 GiB asked, 4 of 5 GiB used; 1 snapshot asked, 1 of 1 snapshot used',
    });
    await t.throwsAsync(volumes.extend(id, 4, deadline), { code: 'QuotaExceeded', message: /2 GiB asked, 4 of 5 GiB/ });
    await volumes.extend(id, 3, deadline);
    t.deepEqual(await used('web'), [1, 5, 1]);
    await snapshots.delete(snapshot.id, deadline);
    const second = await create('web', 0);
    await t.throwsAsync(create('web', 0), { code: 'QuotaExceeded', message: /1 volume asked, 2 of 2 volumes used$/ });
    t.is((await create('web', 0, second.id)).id, second.id, 'a repeated request asks for nothing more');
    await create('other', 9);
    await removeQuota(store, 'web');
    await create('web', 9);
  },
);

test.serial('the limits of every project hold where one has none of its own', async (t) => {
  await setQuota(store, everyProject, { volumes: 1, bytes: 3 * gibibyte });
  await setQuota(store, 'large', { volumes: 'unlimited' });
  await create('small');
  await t.throwsAsync(create('small'), { code: 'QuotaExceeded' });
  await create('large');
  await create('large');
  await t.throwsAsync(create('large', 2), { code: 'QuotaExceeded', message: /2 GiB asked, 2 of 3 GiB used$/ });
  await setQuota(store, 'large', { volumes: 'default' });
  await t.throwsAsync(create('large', 0), { code: 'QuotaExceeded', message: /2 of 1 volume used$/ });
  await t.throwsAsync(removeQuota(store, 'large'), { code: 'QuotaNotFound' }, 'its last limit went');
  await removeQuota(store, everyProject);
  await create('small');
});

test.serial('what fails uses nothing', async (t) => {
  await setQuota(store, 'web', { bytes: 10 * gibibyte });
  const { id } = await create('web', 2);
  driver.failOnce('extendVolume', new Error('no more extents'));
  driver.failOnce('extendVolume', new Error('no more extents'));
  driver.failOnce('extendVolume', new Error('no more extents'));
  await t.throwsAsync(volumes.extend(id, 9, deadline), { message: /no more extents/ });
  t.deepEqual(await used('web'), [1, 2, 0]);
  await removeQuota(store, 'web');
});

test.serial('the receiver of a transfer needs room for the volume and its snapshots', async (t) => {
  const transfers = new TransferCommands(store, volumes, 'volume');
  const { id } = await create('from', 2);
  await snapshots.create(id, { userId: 'user', projectId: 'from' }, deadline);
  await setQuota(store, 'to', { bytes: 3 * gibibyte });
  const { transfer, key } = await transfers.create(id, { withSnapshots: true, lengthMs: 60_000 });
  const to = { userId: 'bob', projectId: 'to' };
  await t.throwsAsync(transfers.accept(transfer.id, key, to, deadline), {
    code: 'QuotaExceeded',
    message: 'the quota of project to has no room: 4 GiB asked, 0 of 3 GiB used',
  });
  t.deepEqual(
    [await used('from'), await used('to')],
    [
      [1, 4, 1],
      [0, 0, 0],
    ],
  );
  await setQuota(store, 'to', { bytes: 4 * gibibyte });
  await transfers.accept(transfer.id, key, to, deadline);
  t.deepEqual(
    [await used('from'), await used('to')],
    [
      [0, 0, 0],
      [1, 4, 1],
    ],
  );
  t.is(await store.redis.exists(store.keys.quota('from')), 0, 'nothing is kept of a project without volumes');
  for await (const one of auditRecords(store, { repair: false })) t.fail(JSON.stringify(one));
  for (const snapshot of await store.redis.zrange(store.keys.snapshots(), '0', '-1')) {
    await snapshots.delete(snapshot, deadline);
  }
  await removeQuota(store, 'to');
});

test.serial(
  'an audit corrects a counter that somebody changed, and a damaged one keeps nobody from deleting',
  async (t) => {
    const key = store.keys.quota('web');
    const { id } = await create('web', 2);
    const findings = () => Array.fromAsync(auditRecords(store, { repair: true }));
    for (const damage of [
      () => store.redis.hset(key, 'usedBytes', '1'),
      () => store.redis.hset(key, 'usedBytes', 'many'),
      () => store.redis.del(key),
    ]) {
      await damage();
      t.like(await findings(), [{ object: 'quota web', fix: 'correct the counter', fixed: true }]);
      t.deepEqual(await used('web'), [1, 2, 0]);
      t.deepEqual(await findings(), []);
    }
    await store.redis.del(key);
    await store.redis.set(key, 'text');
    await t.throwsAsync(volumes.extend(id, 3, deadline), {
      code: 'RecordUnreadable',
      message: /of quota web is no hash$/,
    });
    await volumes.delete(id, deadline);
    t.like(await findings(), [{ object: `key ${key}`, what: 'is a string, not a hash', fixed: false }]);
    await store.redis.del(key);
  },
);

test.serial('racing requests never exceed it, and leave nothing counted', async (t) => {
  await setQuota(store, 'web', { volumes: 7, bytes: 5 * gibibyte });
  let most = 0;
  let refused = 0;
  const race = Array.from({ length: 1000 }, async (_, number) => {
    try {
      const { id } = await create('web', number % 2);
      const [count, bytes] = await used('web');
      most = Math.max(most, count > 7 || bytes > 5 ? Infinity : count);
      await volumes.delete(id, deadline);
    } catch (error) {
      const { code, message } = asError(error);
      if (code !== 'QuotaExceeded') t.fail(message);
      refused += 1;
    }
  });
  await Promise.all(race);
  t.true(most > 0 && most <= 7, String(most));
  t.true(refused > 0);
  t.deepEqual(await used('web'), [0, 0, 0]);
  await until(async () => (await disagreements(store, [])).length === 0, 'all is counted');
  await removeQuota(store, 'web');
  t.is(await store.redis.exists(store.keys.quota('web')), 0);
});
