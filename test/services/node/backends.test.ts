import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { problemsIn } from '../../../lib/client/node-figures.ts';
import { BlockstoreError, errors } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import { silentLog } from '../../../lib/log.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** A node with two backends, of which one fails. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 20_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };
const broken = errors.interfaceDown('eth1', 'is down');

function twoBackends() {
  const [fast, slow] = [new FakeTarget(), new FakeTarget()];
  const drivers = [new FakeDriver(), new FakeDriver()];
  const backends = [
    { name: 'fast', target: fast, driver: drivers[0] ?? new FakeDriver() },
    { name: 'slow', target: slow, driver: drivers[1] ?? new FakeDriver() },
  ];
  return { fast, slow, backends };
}

test.serial('a backend that fails its setup is reported, the other is served, and it is adopted later', async (t) => {
  const { slow, backends } = twoBackends();
  const commands = await cluster.commands();
  const store = await cluster.store();
  const first = await cluster.node('n1', {}, backends);
  const kept = await commands.create({ ...newVolume, node: 'n1@slow' }, deadline);
  const attached = await commands.create({ ...newVolume, node: 'n1@slow' }, deadline);
  await commands.attach(attached.id, attachment, deadline);
  await first.stop();
  slow.exports.clear(); // a reboot
  slow.setupFault = broken;

  const lines: string[] = [];
  const log = { ...silentLog, error: (line: string) => lines.push(line) };
  const node = await cluster.node('n1', {}, backends, { log });
  t.like(await commands.create({ ...newVolume, node: 'n1' }, deadline), { backend: 'fast' });
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1@slow' }, deadline), {
    code: 'NoUsableBackend',
    message: /n1@slow: .*eth1 is down/,
  });
  const slowState = async () => (await lookupNode(store, 'n1')).backends.find(({ name }) => name === 'slow');
  t.like(await slowState(), { accepting: false, problem: broken.message });
  t.like(await node.getVolume(kept.id), { status: 'available' }, 'its volumes are no failure');
  const deleting = commands.delete(kept.id, deadline);
  await until(async () => (await node.getVolume(kept.id)).status === 'deleting', 'a delete waits for the backend');
  const reports = lines.filter((line) => line.startsWith('backend slow is not served')).length;
  t.is(reports, 1, lines.join('\n'));

  slow.setupFault = undefined;
  await deleting;
  await until(() => slow.exports.has(attached.id), 'its export runs again');
  await until(async () => (await slowState())?.accepting, 'it accepts volumes');
  t.like(await commands.create({ ...newVolume, node: 'n1@slow' }, deadline), { backend: 'slow' });
});

test.serial('a volume for a named node goes to its other backend where the first one is full after all', async (t) => {
  let refusals = 0;
  class Full extends FakeDriver {
    override async createVolume(...args: Parameters<FakeDriver['createVolume']>) {
      if (refusals === 0) return super.createVolume(...args);
      refusals -= 1;
      throw errors.noSpace('the fake pool', 2 ** 30, 0);
    }
  }
  const backends = ['one', 'two'].map((name) => ({ name, target: new FakeTarget(), driver: new Full() }));
  await cluster.node('n1', {}, backends);
  await cluster.node('n2');
  const commands = await cluster.commands();
  refusals = 1;
  t.like(await commands.create({ ...newVolume, node: 'n1' }, deadline), { node: 'n1', status: 'available' });
  refusals = 2;
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1' }, deadline), { code: 'NoSpace' });
  refusals = 1;
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1@one' }, deadline), { code: 'NoSpace' });
});

test.serial('a node of which no backend can be served does not start', async (t) => {
  const { fast, slow, backends } = twoBackends();
  fast.setupFault = broken;
  slow.setupFault = broken;
  await t.throwsAsync(cluster.node('n1', {}, backends), { code: 'InterfaceDown' });
  fast.setupFault = undefined;
  await t.notThrowsAsync(cluster.node('n1', {}, backends));
});

test.serial('volumes of a backend that is configured no longer are reported and kept', async (t) => {
  const { backends } = twoBackends();
  const commands = await cluster.commands();
  const store = await cluster.store();
  const first = await cluster.node('n1', {}, backends);
  const { id } = await commands.create({ ...newVolume, node: 'n1@slow' }, deadline);
  await first.stop();
  const node = await cluster.node('n1', {}, backends.slice(0, 1));
  t.like(await node.getVolume(id), { status: 'available' });
  t.regex((await lookupNode(store, 'n1')).problems.join('\n'), /backend slow is not served: .*enabled_backends/);
});

test.serial('two backends share the address pool of their node', async (t) => {
  const { backends } = twoBackends();
  await cluster.node('n1', {}, backends);
  const commands = await cluster.commands();
  const created = await Promise.all(
    ['fast', 'slow', 'fast', 'slow'].map((name) => commands.create({ ...newVolume, node: `n1@${name}` }, deadline)),
  );
  t.is(new Set(created.map(({ address }) => address)).size, 4);
});

test.serial('a backend that is no longer configured gets no volumes, and is forgotten once it has none', async (t) => {
  const { backends } = twoBackends();
  const commands = await cluster.commands();
  const store = await cluster.store();
  const both = await cluster.node('n1', {}, backends);
  const kept = await commands.create({ ...newVolume, node: 'n1@slow' }, deadline);
  await both.stop();
  const [fast] = backends;
  const alone = await cluster.node('n1', {}, fast ? [fast] : []);
  const places = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      commands.create({ ...newVolume, ...(index % 2 ? { node: 'n1' } : {}) }, deadline),
    ),
  );
  t.deepEqual(new Set(places.map(({ backend }) => backend)), new Set(['fast']));
  const slow = async () => (await lookupNode(store, 'n1')).backends.find(({ name }) => name === 'slow');
  t.like(await slow(), { accepting: false, problem: 'it is not among the enabled_backends of its node' });
  await alone.stop();
  const again = await cluster.node('n1', {}, backends);
  await commands.delete(kept.id, deadline);
  await again.stop();
  await cluster.node('n1', {}, fast ? [fast] : []);
  t.is(await slow(), undefined);
  t.deepEqual(await store.redis.zrange(store.keys.freeSpace(), '0', '-1'), ['n1@fast']);
});

test.serial('while the interface of two backends is down, the node has one problem and gets no volumes', async (t) => {
  const { fast, slow, backends } = twoBackends();
  // It does not wait for the next report.
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, backends);
  await cluster.node('n2');
  const commands = await cluster.commands();
  const store = await cluster.store();
  fast.problem = slow.problem = broken;
  const problems = async () => problemsIn(await lookupNode(store, 'n1'));
  await until(async () => (await problems()).length > 0, 'it is reported');
  t.deepEqual(await problems(), [`backends fast, slow: ${broken.message}`]);
  for (let count = 0; count < 5; count += 1) t.is((await commands.create(newVolume, deadline)).node, 'n2');
  const refused = await t.throwsAsync(commands.create({ ...newVolume, node: 'n1' }, deadline), {
    instanceOf: BlockstoreError,
    message: /n1@fast: .*eth1 is down/,
  });
  t.regex(refused.hint ?? '', /^fix what the message names/, 'no disk helps');
  fast.problem = slow.problem = undefined;
  await until(async () => (await problems()).length === 0, 'it is over');
  t.is((await commands.create({ ...newVolume, node: 'n1' }, deadline)).node, 'n1');
});

test.serial('an interface that goes down during a create is an error that names the node, or no matter', async (t) => {
  const { fast, slow, backends } = twoBackends();
  const rarely = { report_interval: '600', node_down_time: '3600', export_unattached: 'true', num_shell_tries: '1' };
  await cluster.node('n1', rarely, backends);
  fast.exportFault = slow.exportFault = broken;
  const commands = await cluster.commands();
  await t.throwsAsync(commands.create({ ...newVolume, node: 'n1' }, deadline), {
    code: 'InterfaceDown',
    message: 'node n1: network interface eth1 is down',
  });
  await cluster.node('n2');
  t.is((await commands.create(newVolume, deadline)).node, 'n2');
});
