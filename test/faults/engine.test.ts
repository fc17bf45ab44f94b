import test from 'ava';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from '../support/faulty-driver.ts';
import { BlockstoreError, errors } from '../../lib/errors.ts';
import { lookupNode } from '../../lib/models/node.ts';
import { disagreements } from '../support/agreement.ts';
import { Cluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';
import { FaultyCommands } from './faulty-commands.ts';

/** A whole node whose commands go wrong: records and storage agree afterwards. */

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 60_000 };

test.serial('a node whose storage hangs or fails is up and reports the problem until it ends', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  await cluster.node('n1', {}, { driver });
  const store = await cluster.store();
  const state = () => lookupNode(store, 'n1');
  const problem = async () => (await state()).backends[0]?.problem ?? '';
  for (const [hold, reason] of [
    [true, /^storage does not answer within 0.75 s$/],
    [false, /^storage does not report its capacity: .*dead/],
  ] as const) {
    const release = hold ? driver.holdOnce('stats') : () => {};
    if (!hold) for (let time = 0; time < 20; time += 1) driver.failOnce('stats', errors.lvmInterrupted('vgs', 'dead'));
    const { reportTime = 0 } = await until(
      async () => reason.test(await problem()) && state(),
      'the problem is reported',
    );
    await until(
      async () => ((await state()).reportTime ?? 0) > reportTime + 3000,
      'it reports for longer than node_down_time',
    );
    t.like(await state(), { state: 'up', backends: [{ accepting: false }] });
    release();
    await until(async () => (await problem()) === '', 'all is well');
  }
});

test.serial('records and storage agree after each LVM command failed in turn', async (t) => {
  const commands = await FaultyCommands.create(cluster.directory); // which goes when no node needs it any more
  await commands.put('blkdiscard');
  await commands.put('sync');
  commands.residents = false;
  let driver = commands.lvmDriver();
  const flags = { num_shell_tries: '2', report_interval: '1' };
  const node = await cluster.node('n1', flags, { name: 'lvm', driver });
  const calls = await cluster.commands();
  const store = await cluster.store();
  // On a busy machine LVM answers later than some reports, which say that the node takes no volumes.
  const kept = await until(() => calls.create(newVolume, deadline).catch(() => undefined), 'a volume is created');
  const met = ['exit 139', 'half an output', 'done, then exit 139', 'exit 5', 'no report', 'ENOSPC'];
  for (const fault of met) {
    await commands.give('lvm', fault, '', fault, fault, '', '', fault);
    const answer = await calls.create(newVolume, deadline).catch((error: unknown) => error);
    if (answer instanceof Error)
      t.true(answer instanceof BlockstoreError && answer.code !== 'Internal', String(answer));
    t.is((await node.getVolume(kept.id)).status, 'available', fault);
  }
  await node.stop();

  // Both faults may meet the same command: a look at the space comes in between, or not.
  driver = commands.lvmDriver({ numShellTries: 3 });
  await commands.give('lvm', '', '', '', '', '', 'no report', '', 'half an output');
  const again = await cluster.node('n1', flags, { name: 'lvm', driver });
  t.is((await again.getVolume(kept.id)).status, 'available', 'half a list of volumes loses none');
  await commands.give('lvm');
  for await (const { id, status } of again.all()) if (status !== 'available') await calls.delete(id, deadline);
  const storages = [{ node: 'n1', volumes: await driver.listVolumes() }];
  t.deepEqual(await disagreements(store, storages), []);
  for await (const { id } of again.all()) await calls.delete(id, deadline);
  t.deepEqual(await commands.logicalVolumes(), []);
});
