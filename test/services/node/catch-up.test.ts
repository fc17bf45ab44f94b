import test from 'ava';
import { lookupNode } from '../../../lib/models/node.ts';
import { beginCatchUp } from '../../../lib/redis/scripts.ts';
import { CatchUp } from '../../../services/node/catch-up.ts';
import { Cluster } from '../../support/cluster.ts';
import { LoggingDriver } from '../../support/logging-driver.ts';
import { silentLog } from '../../../lib/log.ts';
import { until } from '../../support/until.ts';

/** Records and storage are compared again only where Redis may have lost changes, by so many nodes at a time. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

/** Returns how often storage was listed, which is what a comparison does. */
function comparisons(driver: LoggingDriver): number {
  return driver.logsLike('listVolumes').length;
}

test.serial('a reconnection to the same server compares nothing; a restarted server is compared with', async (t) => {
  const driver = new LoggingDriver();
  const node = await cluster.node('n1', {}, { driver });
  const store = await cluster.store();
  const seen = async () => (await lookupNode(store, 'n1')).reportTime ?? 0;
  driver.clearLogs();
  await store.redis.client('KILL', 'TYPE', 'NORMAL');
  const reported = await until(seen, 'Redis answers again');
  await until(async () => (await seen()) > reported + 3000, 'it reports for a while');
  t.is(comparisons(driver), 0);
  await cluster.server.down();
  await cluster.server.up();
  await until(() => comparisons(driver) > 0, 'storage is compared');
  const { backends } = await until(async () => {
    const state = await lookupNode(store, 'n1');
    return state.backends[0]?.accepting === true && state;
  }, 'it accepts volumes');
  t.is(backends.length, 1);
  await node.reportState();
});

test.serial(
  'only so many nodes compare at a time, and a place that is not given back is free after its time',
  async (t) => {
    const store = await cluster.store();
    const begin = (node: string, lengthMs = 60_000) => beginCatchUp(store, { node, places: 2, lengthMs });
    t.true(await begin('n1'));
    t.true(await begin('n2', 1));
    t.true(await begin('n1'), 'who has a place keeps it');
    await until(() => begin('n3'), 'the place of n2 is free');
    t.false(await begin('n4'));
    await store.redis.del(store.keys.catchingUp());
    for (const ghost of ['x', 'y']) await store.redis.zadd(store.keys.catchingUp(), Date.now() + 600_000, ghost);
    t.true(await begin('n5'), 'a place that ends later than any that is given out does not count');
    await store.redis.set(store.keys.catchingUp(), 'damaged');
    t.true(await begin('n6'));
  },
);

test.serial('a node that waits for its place keeps its lease and serves its volumes', async (t) => {
  const driver = new LoggingDriver();
  await cluster.node('n1', {}, { driver });
  const store = await cluster.store();
  const commands = await cluster.commands();
  const { id } = await commands.create({ size: 1, userId: 'u', projectId: 'p' }, { deadlineMs: 20_000 });
  const { redis, keys } = store;
  for (let count = 0; count < 50; count += 1) await redis.zadd(keys.catchingUp(), Date.now() + 55_000, `other${count}`);
  driver.clearLogs();
  await cluster.server.down();
  await cluster.server.up();
  await until(() => lookupNode(store, 'n1'), 'Redis answers again');
  const begin = (await lookupNode(store, 'n1')).reportTime ?? 0;
  await until(async () => ((await lookupNode(store, 'n1')).reportTime ?? 0) > begin + 4000, 'it reports meanwhile');
  t.is((await lookupNode(store, 'n1')).state, 'up');
  const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
  t.like(await commands.attach(id, attachment, { deadlineMs: 20_000 }), { attachStatus: 'attached' });
  t.is(comparisons(driver), 0);
  await redis.del(keys.catchingUp());
  await until(() => comparisons(driver) > 0, 'it compares once there is a place');
});

test.serial('what is busy when repairs that broke off are repeated is examined once it is not', async (t) => {
  const store = await cluster.store();
  const lost = { node: 'n1', object: 'snapshot', what: 'has no record', fix: 'make it again', fixed: false };
  const results = [
    { findings: [{ ...lost, failure: 'the connection broke' }], busy: new Set<string>() },
    { findings: [], busy: new Set(['volume']) },
    { findings: [], busy: new Set<string>() },
  ];
  let compared = 0;
  let isBusy = true;
  const catchUp = new CatchUp({
    store,
    lease: { node: 'n1', reacquire: async () => {} },
    audit: {
      run: async () => {
        const result = results[Math.min(compared, 2)] ?? { findings: [], busy: new Set<string>() };
        compared += 1;
        return { ...result, resumed: new Set<string>(), notCompared: [] };
      },
    },
    addresses: { refill: async () => {} },
    restoreAbandoned: async () => {},
    log: silentLog,
    onFenced: () => t.fail(),
    isBusy: () => isBusy,
    places: 1,
    jitterMs: 0,
  });
  const comparesTo = (count: number) => until(async () => (await catchUp.run(), compared >= count), `${count} times`);
  await comparesTo(2);
  await catchUp.run();
  t.is(compared, 2, 'the volume is busy still');
  isBusy = false;
  await catchUp.run();
  t.is(compared, 3);
  await catchUp.run();
  t.is(compared, 3, 'all was seen');
});
