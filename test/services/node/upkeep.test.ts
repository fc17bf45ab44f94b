import test from 'ava';
import { errors } from '../../../lib/errors.ts';
import type { VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { silentLog } from '../../../lib/log.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { Reporter } from '../../../services/node/reporter.ts';
import { Cluster } from '../../support/cluster.ts';
import { transit } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** Work that a node does by itself, with no command. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };

class DegradedDriver extends FakeDriver {
  problem: string | undefined = 'volume group v is missing a disk';

  override async stats() {
    const stats = await super.stats();
    return this.problem === undefined ? stats : { ...stats, acceptsCreates: false, problem: this.problem };
  }
}

test.serial('a degraded pool is a problem of its backend, which accepts no creates until it is whole', async (t) => {
  const driver = new DegradedDriver();
  await cluster.node('n1', { report_interval: '1' }, { driver });
  const store = await cluster.store();
  const backend = async () => (await lookupNode(store, 'n1')).backends[0];
  const { problem } = driver;
  await until(async () => (await backend())?.problem === problem, 'the problem is reported');
  const refused = await t.throwsAsync((await cluster.commands()).create(newVolume, deadline));
  t.is(refused?.name, 'NoUsableBackend');
  driver.problem = undefined;
  await until(async () => (await backend())?.problem === '', 'the problem is over');
  await (await cluster.commands()).create(newVolume, deadline);
});

test.serial('a task whose command was lost is re-driven with a report', async (t) => {
  const node = await cluster.node('n1');
  const { id } = await (await cluster.commands()).create(newVolume, deadline);
  await transit(await cluster.store(), id, 'startDelete');
  await until(async () => (await Array.fromAsync(node.all())).length === 0, 'the volume is gone');
  t.pass();
});

test.serial('a node reports its capacity to the byte, however large it is', async (t) => {
  const totalBytes = 2 ** 50 - 1;
  await cluster.node('n1', {}, { driver: new FakeDriver({ totalBytes }) });
  const { backends } = await lookupNode(await cluster.store(), 'n1');
  t.like(backends, { 0: { totalBytes, freeBytes: totalBytes, capacityBytes: totalBytes, allocatedBytes: 0 } });
  t.is(backends.length, 1);
});

test.serial('a report writes again what Redis has lost of the reports before it', async (t) => {
  const node = await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  const { redis, keys } = await cluster.store();
  const before = await redis.hgetall(keys.backend('n1@fake'));
  await redis.del(keys.backend('n1@fake'), keys.freeSpace(), keys.nodeBackends('n1'));
  await node.reportState(); // notices it
  await node.reportState();
  t.deepEqual(await redis.hgetall(keys.backend('n1@fake')), before);
  t.deepEqual(await redis.zrange(keys.freeSpace(), '0', '-1'), ['n1@fake']);
  t.deepEqual(await redis.zrange(keys.nodeBackends('n1'), '0', '-1'), ['n1@fake']);
  await redis.hdel(keys.node('n1'), 'version', 'problems');
  for (let count = 0; count < 2; count += 1) await node.reportState();
  t.not(await redis.hget(keys.node('n1'), 'version'), null);
});

test.serial('a volume that is served again is no problem of its node any longer', async (t) => {
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
  await commands.create(newVolume, deadline);
  await first.stop();
  driver.broken = true;
  const lines: string[] = [];
  const log = { ...silentLog, error: (line: string) => lines.push(line), info: (line: string) => lines.push(line) };
  await cluster.node('n1', {}, { driver }, { log });
  const store = await cluster.store();
  const problems = async () => (await lookupNode(store, 'n1')).problems;
  t.regex((await problems()).join('\n'), /lvchange/);
  driver.broken = false;
  await until(async () => (await problems()).length === 0, 'no problem is left');
  t.deepEqual(
    lines
      .filter((line) => line.includes('lvchange'))
      .map((line) => line.split(':')[0]?.replace(/volume \S+/, 'volume')),
    ['volume cannot be served', 'this problem is over'],
  );
});

test.serial('a volume that cannot be served is a problem of its node until it is deleted', async (t) => {
  class EmptyDriver extends FakeDriver {
    override async hasVolume(): Promise<boolean> {
      return false;
    }
  }
  const commands = await cluster.commands();
  const first = await cluster.node('n1');
  const { id } = await commands.create(newVolume, deadline);
  await first.stop();
  await cluster.node('n1', {}, { driver: new EmptyDriver() });
  const store = await cluster.store();
  const problems = async () => (await lookupNode(store, 'n1')).problems.length;
  t.is(await problems(), 1);
  await commands.delete(id, deadline);
  await until(async () => (await problems()) === 0, 'no problem is left');
});

test.serial('a report that fails in the same way again is logged once, and the next one still comes', async (t) => {
  const lines: string[] = [];
  const failures = ['no space', 'no space', 'no disk', 'no disk', '', 'no disk'];
  let reports = 0;
  const reporter = new Reporter({
    name: 'heartbeat',
    atOnce: false,
    intervalS: 1,
    log: { ...silentLog, error: (line) => lines.push(line), info: (line) => lines.push(line) },
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
    lines.map((line) => /^the heartbeat (?:failed: .*(?=no )(.*)|(succeeds again))$/.exec(line)?.slice(1).join('')),
    ['no space', 'no disk', 'succeeds again', 'no disk'],
  );
});

test.serial(
  'a Redis that does not answer a connection that holds is logged once, from the second report on',
  async (t) => {
    const lines: string[] = [];
    let tick: () => unknown = () => undefined;
    let [isAway, isFailing] = [false, true];
    const reporter = new Reporter({
      name: 'heartbeat',
      atOnce: false,
      intervalS: 1,
      isUrgent: () => true,
      isRedisAway: () => isAway,
      log: { ...silentLog, error: (line) => lines.push(line), info: (line) => lines.push(line) },
      onFenced: () => t.fail(),
      everySecond: (work) => {
        tick = work;
        return { destroy: async () => {} };
      },
      report: async () => {
        if (isFailing) throw errors.redisUnreachable('the test', 'BUSY');
      },
    });
    const reportTimes = async (count: number) => {
      for (let times = 0; times < count; times += 1) await tick();
      return lines.length;
    };
    await reporter.start();
    t.is(await reportTimes(1), 0, 'it may just have been made again');
    isAway = true;
    t.is(await reportTimes(3), 0, 'the connection logs it');
    isAway = false;
    t.is(await reportTimes(3), 1);
    isFailing = false;
    t.is(await reportTimes(2), 2);
    t.is(lines.at(-1), 'the heartbeat succeeds again');
  },
);

test.serial('a failed report is logged with the hint of its error', async (t) => {
  const hints: unknown[] = [];
  const denied = errors.redisDenied('the test', 'NOPERM', 'extend the ACL');
  const reporter = new Reporter({
    name: 'heartbeat',
    atOnce: false,
    intervalS: 1,
    log: { ...silentLog, error: (_, more = {}) => hints.push(more['hint']) },
    onFenced: () => t.fail(),
    report: () => Promise.reject(denied),
  });
  await reporter.start();
  await until(() => hints.length > 0, 'the failure is logged');
  await reporter.stop();
  t.deepEqual(hints, ['extend the ACL']);
});
