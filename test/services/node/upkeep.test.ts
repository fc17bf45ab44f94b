import test from 'ava';
import { errors } from '../../../lib/errors.ts';
import type { VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { silentLog } from '../../../lib/log.ts';
import { Node } from '../../../lib/models/node.ts';
import { NoneTarget } from '../../../lib/targets/none/target.ts';
import type { SeenAddress } from '../../../lib/targets/target.ts';
import { Reporter } from '../../../services/node/reporter.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** What a node sees to by itself, with no command. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const wanted = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };

class DegradedDriver extends FakeDriver {
  problem: string | undefined = 'volume group v is missing a disk';

  override async stats() {
    const stats = await super.stats();
    return this.problem === undefined ? stats : { ...stats, acceptsCreates: false, problem: this.problem };
  }
}

test.serial('a degraded pool is a problem of its node, which offers no space until it is whole', async (t) => {
  const driver = new DegradedDriver();
  await cluster.node('n1', { report_interval: '1' }, { driver });
  const store = await cluster.store();
  const state = async () => (await Node.lookup(store, 'n1')).state;
  const { problem } = driver;
  await until(async () => (await state()).problems.join() === problem, 'the problem is reported');
  t.is((await state()).freeBytes, 0);
  driver.problem = undefined;
  await until(async () => (await state()).problems.length === 0, 'the problem is over');
  t.true((await state()).freeBytes > 0);
});

test.serial('a volume whose command was lost is taken up with a report', async (t) => {
  const node = await cluster.node('n1');
  const { id } = await (await cluster.commands()).create(wanted, deadline);
  await (await cluster.store()).run('change', id, JSON.stringify({ set: { status: 'deleting' } }));
  await until(async () => (await Array.fromAsync(node.all())).length === 0, 'the volume is gone');
  t.pass();
});

test.serial('a node tells its room to the byte, however large it is', async (t) => {
  const totalBytes = 2 ** 50 - 1;
  await cluster.node('n1', {}, { driver: new FakeDriver({ totalBytes }) });
  t.like((await Node.lookup(await cluster.store(), 'n1')).state, { totalBytes, freeBytes: totalBytes });
});

class Wire extends NoneTarget {
  seen: SeenAddress[] = [{ address: 'e1.0', host: '52:54:00:00:00:09' }];

  override async discover(): Promise<SeenAddress[]> {
    return this.seen;
  }
}

test.serial('a number that others use is kept back, and is free again when they use it no more', async (t) => {
  const target = new Wire();
  const commands = await cluster.commands();
  const create = async () => {
    const node = await cluster.node('n1', { first_shelf_id: '1', last_shelf_id: '1' }, { target });
    const { aoeDevice } = await commands.create(wanted, deadline);
    await node.stop();
    return aoeDevice;
  };
  t.is(await create(), 'e1.1');
  target.seen = [];
  t.is(await create(), 'e1.0');
});

test.serial('a shelf that others use is left to them while there is another', async (t) => {
  await cluster.node('n1', {}, { target: new Wire() });
  const { aoeDevice } = await (await cluster.commands()).create(wanted, deadline);
  t.is(aoeDevice, 'e2.0');
});

test.serial('what kept a volume from being served is told no more once it is served', async (t) => {
  class BrokenDriver extends FakeDriver {
    broken = false;

    override async ensureVolume(volume: VolumeSpec): Promise<void> {
      if (this.broken) throw errors.lvmFailed('lvchange', 'the test fails it');
      return super.ensureVolume(volume);
    }
  }
  const driver = new BrokenDriver();
  const commands = await cluster.commands();
  const first = await cluster.node('n1', {}, { driver });
  await commands.create(wanted, deadline);
  await first.stop();
  driver.broken = true;
  await cluster.node('n1', {}, { driver });
  const store = await cluster.store();
  const problems = async () => (await Node.lookup(store, 'n1')).state.problems;
  t.regex((await problems()).join('\n'), /lvchange/);
  driver.broken = false;
  await until(async () => (await problems()).length === 0, 'nothing is told any more');
});

test.serial('what keeps a volume from being served is told of its node until the volume is deleted', async (t) => {
  class EmptyDriver extends FakeDriver {
    override async hasVolume(): Promise<boolean> {
      return false;
    }
  }
  const commands = await cluster.commands();
  const first = await cluster.node('n1');
  const { id } = await commands.create(wanted, deadline);
  await first.stop();
  await cluster.node('n1', {}, { driver: new EmptyDriver() });
  const store = await cluster.store();
  const problems = async () => (await Node.lookup(store, 'n1')).state.problems.length;
  t.is(await problems(), 1);
  await commands.delete(id, deadline);
  await until(async () => (await problems()) === 0, 'nothing is told any more');
});

test.serial('a report that fails in the same way again is logged once, and the next one still comes', async (t) => {
  const lines: string[] = [];
  const failures = ['no room', 'no room', 'no disk', 'no disk', '', 'no disk'];
  let reports = 0;
  const reporter = new Reporter({
    name: 'heartbeat',
    atOnce: false,
    intervalS: 1,
    log: { ...silentLog, error: (line) => lines.push(line) },
    onFenced: () => t.fail(),
    report: async () => {
      const failure = failures[reports] ?? '';
      reports += 1;
      if (failure !== '') throw new Error(failure);
      if (reports > failures.length) throw errors.redisUnreachable('the test', 'away');
    },
  });
  await reporter.start();
  await until(() => reports > failures.length, 'every report was tried');
  await reporter.stop();
  t.deepEqual(
    lines.map((line) => /^the heartbeat failed: .*(no \w+)$/.exec(line)?.[1]),
    ['no room', 'no disk', 'no disk'],
  );
});
