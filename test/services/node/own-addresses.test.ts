import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import type { Flags } from '../../../lib/flags/definitions.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { volumeJson } from '../../../cli/volume/present.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget, OwnAddressTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Volumes of a target that derives addresses from ids: no shelf, no quarantine, no label; each attachment has a secret. */

let cluster: Cluster;
let driver: FakeDriver;
let target: OwnAddressTarget;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  driver = new FakeDriver();
  target = new OwnAddressTarget();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const hosts = ['iqn.1993-08.org.debian:01:abc'];
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts };
const rarely = { report_interval: '600', node_down_time: '3600' };

function node(on: FakeTarget = target, flags: Partial<Record<keyof Flags, string>> = rarely): Promise<BlockStore> {
  return cluster.node('n1', flags, { driver, target: on });
}

async function agreement(on: FakeTarget = target): Promise<string[]> {
  const volumes = await driver.listVolumes();
  return disagreements(await cluster.store(), [{ node: 'n1', volumes, exports: [...on.exports.values()] }]);
}

async function noAddressOfThePool(): Promise<boolean> {
  const { redis, keys } = await cluster.store();
  return (await redis.exists(keys.shelves(), keys.shelfOwners(), keys.nodeShelves('n1'), keys.quarantine('n1'))) === 0;
}

test.serial('a volume has the address of its target, without a shelf, a label or a quarantine', async (t) => {
  await node();
  const commands = await cluster.commands();
  const { id, address } = await commands.create(newVolume, deadline);
  t.is(address, target.addressOf(id));
  const { redis, keys } = await cluster.store();
  t.is(await redis.object('ENCODING', keys.volume(id)), 'listpack', 'the record takes little memory');
  await t.throwsAsync(commands.attach(id, attachment, { ...deadline, examined: '' }), { code: 'AddressChanged' });
  await commands.attach(id, attachment, { ...deadline, examined: address });
  t.like(target.exports.get(id), { address, hosts, readOnly: false });
  t.false('address' in ((await driver.listVolumes())[0]?.labels ?? {}));
  t.deepEqual(await agreement(), []);
  await commands.detach(id, deadline);
  await commands.delete(id, deadline);
  t.true(await noAddressOfThePool());
  t.deepEqual(await agreement(), []);
});

test.serial('a host attaches a volume at the address that it has examined, and at no other one', async (t) => {
  await node();
  const commands = await cluster.commands();
  const { id, address } = await commands.create(newVolume, deadline);
  const examined = address.replace('10.', '11.');
  t.not(examined, address);
  await t.throwsAsync(commands.attach(id, attachment, { ...deadline, examined }), { code: 'AddressChanged' });
  const { chap, ...attached } = await commands.attach(id, attachment, { ...deadline, examined: address });
  t.like(attached, { attachStatus: 'attached', address });
  t.deepEqual(target.exports.get(id)?.chap, chap, 'the answer has the secret');
});

test.serial('each attachment has a secret of its own, which no output shows and a detach clears', async (t) => {
  await node();
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  const volumes = volumesOf(await cluster.store());
  const secretOf = async () => {
    const { chap } = await volumes.lookup(id);
    t.deepEqual(target.exports.get(id)?.chap, chap, 'the export demands what the record has');
    return chap?.secret ?? '';
  };
  const shown = await commands.attach(id, attachment, deadline);
  const first = await secretOf();
  t.is(first.length, 16);
  t.false(JSON.stringify(volumeJson({ ...shown, host: 'n1', destination: '', uses: [] })).includes(first));
  await commands.detach(id, deadline);
  t.is((await volumes.lookup(id)).chap, undefined);
  await commands.attach(id, attachment, deadline);
  t.not(await secretOf(), first);
});

test.serial(
  'an attachment has the secret of its host, where the target has one for all volumes of a host',
  async (t) => {
    await node();
    const commands = await cluster.commands();
    target.shared = { user: 'of-the-host', secret: 'secret-of-the-host' };
    for (const volume of [await commands.create(newVolume, deadline), await commands.create(newVolume, deadline)]) {
      const { chap } = await commands.attach(volume.id, attachment, deadline);
      t.deepEqual(chap, target.shared);
      t.deepEqual(target.exports.get(volume.id)?.chap, chap);
    }
  },
);

test.serial('an export whose secret is not that of the record is found and made anew', async (t) => {
  await node();
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  const right = target.exports.get(id);
  if (!right) throw new Error('it is not exported');
  const nodes = await cluster.nodeCommands();
  for (const chap of [undefined, { user: 'user', secret: 'of somebody else' }]) {
    target.exports.set(id, { ...right, chap });
    const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, { deadlineMs: 20_000 });
    t.deepEqual(
      findings.map(({ what, fixed }) => [what, fixed]),
      [['is exported with another secret than its record has', true]],
    );
    t.deepEqual(target.exports.get(id)?.chap, right.chap);
  }
});

test.serial('attachments that Redis lost come back with address, hosts and secret while the exports run', async (t) => {
  const before = await node();
  const commands = await cluster.commands();
  const { id, address } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  const store = await cluster.store();
  const { chap } = await volumesOf(store).lookup(id);
  await before.stop();
  await store.redis.flushall();
  await node();
  t.like(await volumesOf(store).lookup(id), { attachStatus: 'attached', attachHosts: hosts, address, chap });
  t.deepEqual(target.exports.get(id)?.chap, chap);
  t.deepEqual(await agreement(), []);
});

test.serial(
  'another portal moves the exports and the addresses of attached volumes, and later those of others',
  async (t) => {
    const before = await node();
    const commands = await cluster.commands();
    const { id } = await commands.create(newVolume, deadline);
    const { id: other } = await commands.create(newVolume, deadline);
    await commands.attach(id, attachment, deadline);
    await before.stop();
    target.portal = '192.0.2.2:3261';
    const volumes = volumesOf(await cluster.store());
    await node();
    await until(async () => (await volumes.lookup(id)).address === target.addressOf(id), 'the record has it');
    t.is(target.exports.get(id)?.address, target.addressOf(id));
    t.is((await commands.attach(other, attachment, deadline)).address, target.addressOf(other));
    const nodes = await cluster.nodeCommands();
    const { findings } = await nodes.audit('n1', { repair: false, remove: [] }, { deadlineMs: 20_000 });
    t.deepEqual(findings, []);
  },
);

test.serial(
  'volumes of a backend whose target is replaced get addresses of the other form when they are attached',
  async (t) => {
    const aoe = new FakeTarget();
    const first = await node(aoe);
    const commands = await cluster.commands();
    const { id, address } = await commands.create(newVolume, deadline);
    t.is(address, 'e1.0');
    await first.stop();
    const second = await node();
    t.is((await commands.attach(id, attachment, deadline)).address, target.addressOf(id));
    t.false('address' in ((await driver.listVolumes())[0]?.labels ?? {}));
    await commands.detach(id, deadline);
    await second.stop();
    await node(aoe, { ...rarely, address_quarantine: '0' });
    t.is((await commands.attach(id, { ...attachment, hosts: [] }, deadline)).address, 'e1.0');
    t.deepEqual(await agreement(aoe), []);
  },
);
