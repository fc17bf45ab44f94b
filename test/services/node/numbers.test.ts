import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../../support/faulty-driver.ts';
import { Node, type OwnNumber } from '../../../lib/models/node.ts';
import { NoneTarget } from '../../../lib/targets/none/target.ts';
import { shelfOf } from '../../../lib/aoe/address.ts';
import type { ExportSpec } from '../../../lib/targets/target.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/**
 * Redis goes back to an older copy, and numbers that it then believes free are in use. Nodes report so rarely here that none of
 * them compares its records with its storage before the next creation.
 */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const wanted = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };
const rarely = { report_interval: '600', node_down_time: '3000' };

/** Looking at its storage takes long. */
class SlowDriver extends FakeDriver {
  override async listVolumes() {
    await pause(300);
    return super.listVolumes();
  }
}

/** Tells all that it ever exported. */
class ToldTarget extends NoneTarget {
  readonly exported: ExportSpec[] = [];

  override async ensureExport(spec: ExportSpec): Promise<void> {
    this.exported.push(spec);
  }
}

test.serial('the number of a volume whose record was lost is given to no other', async (t) => {
  await cluster.node('n1', rarely);
  const commands = await cluster.commands();
  const restore = await cluster.server.keepCopy();
  const made = await until(() => commands.create(wanted, deadline), 'a volume is made');
  await restore();
  const other = await until(() => commands.create(wanted, deadline), 'another is made');
  t.is(made.aoeDevice, 'e1.0');
  t.is(other.aoeDevice, 'e1.1');
});

test.serial('nor is it where Redis lost the records and no connection was lost', async (t) => {
  await cluster.node('n1', {}, { driver: new SlowDriver() });
  const commands = await cluster.commands();
  const { redis, keys } = await cluster.store();
  const made = await commands.create(wanted, deadline);
  const topics = keys.topic('');
  await redis.del((await redis.keys('*')).filter((key) => !key.startsWith(topics)));
  const other = await until(() => commands.create(wanted, deadline), 'another is made');
  t.is(made.aoeDevice, 'e1.0');
  t.is(other.aoeDevice, 'e1.1');
});

test.serial('nor is that of a volume which is being made all the while', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const target = new ToldTarget();
  const node = await cluster.node('n1', rarely, { driver, target });
  const commands = await cluster.commands();
  const restore = await cluster.server.keepCopy();
  const release = driver.holdOnce('createVolume');
  const made = await until(() => commands.create(wanted), 'a volume is asked for');
  await until(async () => (await node.getVolume(made.id)).aoeDevice === 'e1.0', 'it has a number');
  await restore();
  const other = await until(() => commands.create(wanted, deadline), 'another is made');
  t.is(other.aoeDevice, 'e1.1');
  release();
  await until(async () => (await driver.listVolumes()).length === 2, 'both are on storage');
  await commands.delete(other.id, deadline);
  t.deepEqual(
    target.exported.map(({ id }) => id),
    [other.id],
    'what nobody asks for any more is not exported',
  );
});

test.serial('a number of a shelf that another node has since is not used by the one that had it', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const target = new ToldTarget();
  const node = await cluster.node('n1', rarely, { driver, target });
  await cluster.node('n2', rarely);
  const commands = await cluster.commands();
  const restore = await cluster.server.keepCopy();
  const release = driver.holdOnce('createVolume');
  const made = await until(() => commands.create({ ...wanted, node: 'n1' }), 'a volume is asked for');
  await until(async () => (await node.getVolume(made.id)).aoeDevice === 'e1.0', 'it has a number');
  await restore();
  const other = await until(() => commands.create({ ...wanted, node: 'n2' }, deadline), 'another is made');
  t.is(other.aoeDevice, 'e1.0');
  release();
  const next = await until(() => commands.create({ ...wanted, node: 'n1' }, deadline), 'a third one is made');
  t.deepEqual(
    target.exported.map(({ id, address }) => [id, shelfOf(address)]),
    [[next.id, 2]],
  );
});

test.serial('while Redis is away a creation exports nothing, and goes on when it is back', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const target = new ToldTarget();
  const store = await cluster.store();
  const node = await cluster.node('n1', rarely, { driver, target }, store);
  const commands = await cluster.commands();
  const release = driver.holdOnce('createVolume');
  const { id } = await commands.create(wanted);
  await until(async () => (await node.getVolume(id)).aoeDevice === 'e1.0', 'it has a number');
  await cluster.server.down();
  await until(() => store.connection.isAway, 'the node has noticed');
  release();
  await until(async () => (await driver.listVolumes()).length === 1, 'it is on storage');
  await turn(); // the next step has begun, if it is to begin
  t.deepEqual(target.exported, []);
  await cluster.server.up();
  await until(async () => (await node.getVolume(id)).status === 'available', 'it is made');
  t.is(target.exported.length, 1);
});

test.serial('a volume whose creation is asked for again has the number that it had', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const node = await cluster.node('n1', { max_operations: '1' }, { driver });
  const commands = await cluster.commands();
  const release = driver.holdOnce('createVolume');
  await commands.create(wanted);
  const { id } = await commands.create(wanted); // nobody can take it yet
  const restore = await cluster.server.keepCopy();
  const made = () =>
    until(async () => {
      const volume = await node.getVolume(id);
      return volume.status === 'available' && volume.aoeDevice;
    }, 'it is made');
  release();
  const before = await made();
  await restore();
  t.is(await made(), before);
});

test.serial('a number is kept for a volume until it is looked for and found nowhere', async (t) => {
  const store = await cluster.store();
  const node = await Node.enter(store, { name: 'n1', holder: 'test', leaseMs: 60_000, topic: 'volume' });
  const held = () => store.redis.hgetall(store.keys.heldNumbers());
  const observe = async (...numbers: OwnNumber[]) => {
    await node.observe({ others: new Map(), own: { addresses: [], numbers } }, 4, false);
    return held();
  };
  const label = { number: '7.1', id: 'volume-a', running: false };
  t.deepEqual(await observe(label), { '7.1': 'volume volume-a' }, 'no record has it');
  await node.observe({ others: new Map(), own: undefined }, 4, false);
  t.deepEqual(await held(), { '7.1': 'volume volume-a' }, 'nobody looked meanwhile');
  t.deepEqual(await observe(), {}, 'nor has its storage');
  await store.redis.hset(store.keys.volume('volume-a'), { shelfId: '7', bladeId: '2' });
  t.deepEqual(await observe(label), {}, 'its record has another number, and the label is out of date');
  const running = { ...label, running: true };
  t.deepEqual(await observe(running), { '7.1': 'volume volume-a' }, 'it is still exported under the old one');
});
