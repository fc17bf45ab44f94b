import test from 'ava';
import { errors } from '../../../lib/errors.ts';
import type { SeenAddress } from '../../../lib/targets/target.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** A node whose storage interface is down gives out no address. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };

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
    target.seen = [{ address: 'e1.0', host: '52:54:00:00:00:09' }];
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
