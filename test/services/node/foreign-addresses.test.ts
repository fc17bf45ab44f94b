import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { errors } from '../../../lib/errors.ts';
import type { SeenAddress } from '../../../lib/targets/target.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Addresses at which another machine answers. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };
/** No report by itself. */
const rarely = { report_interval: '600', node_down_time: '3000' };
const oneShelf = { first_shelf_id: '1', last_shelf_id: '1' };
const elsewhere: SeenAddress = { address: 'e1.0', host: '52:54:00:00:00:09' };

test.serial('an address at which another machine answers is given to no volume, before or after a start', async (t) => {
  const target = new FakeTarget();
  target.seen = [elsewhere];
  const commands = await cluster.commands();
  const create = async () => {
    const node = await cluster.node('n1', { ...rarely, ...oneShelf }, { target, driver: new FakeDriver() });
    const { address } = await commands.create(newVolume, deadline);
    await node.stop();
    return address;
  };
  t.is(await create(), 'e1.1');
  t.is(await create(), 'e1.2', 'the shelf is its own since the first start');
  target.seen = [];
  t.is(await create(), 'e1.0');
});

test.serial('what a node exports itself is no other machine, also where it hears it', async (t) => {
  const target = new FakeTarget();
  target.seen = [{ ...elsewhere, host: '00:00:00:00:00:00' }]; // the loopback interface, which every machine has
  await cluster.node('n1', {}, { target });
  t.is((await (await cluster.commands()).create(newVolume, deadline)).address, 'e1.0');
});

test.serial('another machine at the address of a volume is a problem of its node until it is silent', async (t) => {
  const target = new FakeTarget();
  const node = await cluster.node('n1', {}, { target });
  const { id } = await (await cluster.commands()).create(newVolume, deadline);
  const { redis, keys } = await cluster.store();
  const problems = () => redis.hget(keys.node('n1'), 'problems');
  target.seen = [elsewhere];
  await until(
    async () => /52:54:00:00:00:09, answers at address e1.0/.test((await problems()) ?? ''),
    'it is reported',
  );
  const nodeCommands = await cluster.nodeCommands();
  const request = { repair: false, remove: [], recordsOnly: false };
  const { findings } = await nodeCommands.audit('n1', request, deadline);
  t.deepEqual(
    findings.map(({ object, what }) => `${object} ${what}`),
    [`volume ${id} has address e1.0, at which another machine, 52:54:00:00:00:09, answers`],
  );
  target.seen = [];
  await until(async () => (await problems()) === '', 'it is reported no longer');
  t.is((await Array.fromAsync(node.all())).length, 1);
});

test.serial('a vblade of somebody else on the node at the address of a volume is named as such', async (t) => {
  const target = new FakeTarget();
  await cluster.node('n1', {}, { target });
  await (await cluster.commands()).create(newVolume, deadline);
  const { redis, keys } = await cluster.store();
  const problems = () => redis.hget(keys.node('n1'), 'problems');
  target.exports.set('by hand', { address: 'e1.0', path: '/other', readOnly: false, hosts: [] });
  const reported = await until(async () => (await problems()) || undefined, 'it is reported');
  t.regex(reported, /another vblade of this node, with \/other, answers at address e1\.0/);
});

test.serial(
  'while the network is down nobody is asked: an address at which a machine answered stays taken',
  async (t) => {
    class CountingTarget extends FakeTarget {
      asked = 0;

      override async discover(shelves: readonly number[]): Promise<SeenAddress[]> {
        this.asked += 1;
        return super.discover(shelves);
      }
    }
    const target = new CountingTarget();
    target.seen = [elsewhere];
    await cluster.node('n1', { first_shelf_id: '1', last_shelf_id: '1' }, { target });
    const commands = await cluster.commands();
    t.is((await commands.create(newVolume, deadline)).address, 'e1.1', 'another machine answers at e1.0');
    const { redis, keys } = await cluster.store();
    target.problem = errors.interfaceDown('eth1', 'has no carrier');
    target.seen = [];
    const time = async () => Number(await redis.hget(keys.node('n1'), 'reportTime'));
    const down = await time();
    await until(async () => (await time()) >= down + 2000, 'reports are made');
    const { asked } = target;
    await until(async () => (await time()) >= down + 6000, 'more are made than a silent address takes to be free');
    t.is(target.asked, asked);
    target.problem = undefined;
    await until(() => target.asked > asked, 'somebody is asked again');
    await until(async () => (await redis.hget(keys.backend('n1@fake'), 'accepting')) === 'true', 'it takes volumes');
    t.is((await commands.create(newVolume, deadline)).address, 'e1.2');
  },
);

test.serial('an audit asks the network itself, and says so where it cannot', async (t) => {
  class DeafTarget extends FakeTarget {
    isDeaf = false;

    override async discover(shelves: readonly number[]): Promise<SeenAddress[]> {
      if (this.isDeaf) throw errors.interfaceDown('eth1', 'is down');
      return super.discover(shelves);
    }
  }
  const target = new DeafTarget();
  await cluster.node('n1', rarely, { target });
  await (await cluster.commands()).create(newVolume, deadline);
  const nodeCommands = await cluster.nodeCommands();
  const findings = async () => {
    const request = { repair: false, remove: [], recordsOnly: false };
    return (await nodeCommands.audit('n1', request, deadline)).findings.map(({ what }) => what);
  };
  t.deepEqual(await findings(), []);
  target.seen = [elsewhere];
  t.deepEqual(await findings(), ['has address e1.0, at which another machine, 52:54:00:00:00:09, answers']);
  target.isDeaf = true;
  t.true((await findings()).includes('were not compared with the network: network interface eth1 is down'));
});
