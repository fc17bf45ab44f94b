import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { spec } from '../../lib/drivers/conformance.ts';
import type { DeleteOptions, CreatedVolume, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { FaultyDriver as OnceFaultyDriver } from '../../support/faulty-driver.ts';
import { type BlockstoreError, errors } from '../../../lib/errors.ts';
import { lookupNode } from '../../../lib/models/node.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { type ScriptAnswer, Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Bad input and failures get a clear error, and records agree with storage afterwards. */

class FaultyDriver extends FakeDriver {
  createFault: BlockstoreError | undefined;
  deleteFault: BlockstoreError | undefined;
  /** Deletes wait here. */
  gate: Promise<void> = Promise.resolve();

  override async createVolume(volume: VolumeSpec): Promise<CreatedVolume> {
    if (this.createFault) throw this.createFault;
    return super.createVolume(volume);
  }

  override async deleteVolume(volume: VolumeSpec, options?: DeleteOptions): Promise<void> {
    options?.progress?.(42);
    await this.gate;
    if (this.deleteFault) throw this.deleteFault;
    await super.deleteVolume(volume);
  }
}

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

async function allOf(node: { all(): AsyncIterable<VolumeState> }): Promise<VolumeState[]> {
  return Array.fromAsync(node.all());
}

test.serial('storage that a crash left half-made is removed with a creation that finds no space', async (t) => {
  const driver = new FaultyDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const id = randomUUID();
  await driver.createVolume(spec({ id, size: 1, sizeBytes: 4096 }));
  driver.createFault = errors.noSpace('the pool', 2 ** 30, 0);
  await t.throwsAsync(commands.create({ ...newVolume, id }, deadline), { code: 'NoSpace' });
  t.deepEqual(await driver.listVolumes(), []);
  t.deepEqual(await allOf(node), []);
});

test.serial('a creation goes on where the process of LVM has ended during it', async (t) => {
  const driver = new FaultyDriver();
  await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  driver.createFault = errors.lvmInterrupted('lvcreate', 'lvm ended');
  const creation = commands.create(newVolume, deadline);
  await until(async () => (await lookupNode(await cluster.store(), 'n1')).pending > 0, 'it is under way');
  driver.createFault = undefined;
  t.is((await creation).status, 'available');
});

test.serial(
  'a creation that fails for good leaves a readable error that can be deleted, and takes nothing',
  async (t) => {
    const driver = new FakeDriver();
    const target = new FakeTarget();
    target.exportFault = errors.noRawSocket('eth0');
    const flags = { num_shell_tries: '1', export_unattached: 'true', address_quarantine: '0' };
    const node = await cluster.node('n1', flags, { driver, target });
    const commands = await cluster.commands();
    await t.throwsAsync(commands.create(newVolume, deadline), { code: 'NoRawSocket' });
    const [volume] = await allOf(node);
    t.like(volume, { status: 'error', address: '', fault: { code: 'NoRawSocket', step: 'export' } });
    t.deepEqual(await driver.listVolumes(), [], 'its storage is given back');
    target.exportFault = undefined;
    t.is((await commands.create(newVolume, deadline)).address, 'e1.0', 'its address is given back');
    await commands.delete(volume?.id ?? '', deadline);
    t.is((await allOf(node)).length, 1);
  },
);

test.serial('a delete that fails leaves error_deleting, and a later delete ends it', async (t) => {
  const driver = new FaultyDriver();
  const node = await cluster.node('n1', { num_shell_tries: '1' }, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  driver.deleteFault = errors.volumeBusy(id, 'mounted on /mnt');
  await t.throwsAsync(commands.delete(id, deadline), { code: 'VolumeBusy', message: /mounted on \/mnt/ });
  t.like(await node.getVolume(id), { status: 'error_deleting', fault: { code: 'VolumeBusy', step: 'remove' } });
  driver.deleteFault = undefined;
  await commands.delete(id, deadline);
  t.deepEqual(await allOf(node), []);
});

test.serial('a transient failure is retried and nobody notices', async (t) => {
  const driver = new OnceFaultyDriver(new FakeDriver());
  await cluster.node('n1', { num_shell_tries: '3' }, { driver });
  driver.failOnce('createVolume', errors.exportFailed('x', 'busy for a moment'));
  const commands = await cluster.commands();
  t.is((await commands.create(newVolume, deadline)).status, 'available');
});

test.serial('a volume that does not exist and wrong mount points are refused', async (t) => {
  await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await t.throwsAsync(commands.detach('nothing'), { code: 'VolumeNotFound', message: 'volume nothing does not exist' });
  for (const mountpoint of ['vdb', '/mnt', '/dev/', '/dev/../etc', '']) {
    await t.throwsAsync(commands.attach(id, { ...attachment, mountpoint }), { code: 'InvalidArgument' }, mountpoint);
  }
});

test.serial('progress of a long delete shows in the record', async (t) => {
  const driver = new FaultyDriver();
  const gate = Promise.withResolvers<void>();
  driver.gate = gate.promise;
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.delete(id);
  await until(async () => (await node.getVolume(id)).progress === 42, 'the record shows 42 percent');
  await t.throwsAsync(commands.delete(id, { deadlineMs: 100 }), {
    code: 'NotFinished',
    message: /node n1 is working on it/,
  });
  gate.resolve();
  await until(async () => (await allOf(node)).length === 0, 'the volume is gone');
});

test.serial('while Redis is unreachable no change is accepted; when it returns all continues', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  await cluster.server.down();
  await t.throwsAsync(commands.create(newVolume, deadline), {
    code: 'RedisUnreachable',
    message: /redis\.sock cannot be reached/,
  });
  await cluster.server.up();
  const { id } = await until(() => commands.create(newVolume, deadline), 'a volume can be created again');
  t.is((await node.getVolume(id)).status, 'available');
});

test.serial('a loss of Redis in the middle of an operation only delays it', async (t) => {
  const driver = new FaultyDriver();
  const gate = Promise.withResolvers<void>();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  driver.gate = gate.promise;
  // On a busy disk Redis writes its file up to two seconds later, and loses the delete.
  await (await cluster.store()).redis.config('SET', 'appendfsync', 'always');
  await commands.delete(id);
  await cluster.server.down('SIGKILL');
  gate.resolve();
  await cluster.server.up();
  await until(async () => (await allOf(node)).length === 0, 'the volume is gone');
  t.deepEqual(await driver.listVolumes(), []);
});

test.serial('an operation whose last answer from Redis is lost is not undone', async (t) => {
  class ForgetfulStore extends Store {
    lost = 0;

    override async run(...call: Parameters<Store['run']>): Promise<ScriptAnswer> {
      const answer = await super.run(...call);
      if (!String(call[1]).includes('"status":"available"') || this.lost > 0) return answer;
      this.lost += 1;
      throw errors.redisUnreachable('the test', 'the answer was lost');
    }
  }
  const { connection } = await cluster.store();
  const store = new ForgetfulStore(connection, 'blockstore');
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver }, { store });
  const { id } = await (await cluster.commands()).create(newVolume, deadline);
  await node.stop();
  t.is(store.lost, 1);
  const state = await volumesOf(await cluster.store()).lookup(id);
  t.like(state, { status: 'available', fault: undefined });
  t.deepEqual(
    (await driver.listVolumes()).map((found) => found.id),
    [id],
    'its storage is there',
  );
});

/** Loses the answer to the first change set with this text, which Redis has applied. */
class LossyStore extends Store {
  lost = 0;
  lostText = '';

  override async run(...call: Parameters<Store['run']>): Promise<ScriptAnswer> {
    const answer = await super.run(...call);
    if (this.lost > 0 || this.lostText === '' || !String(call[1]).includes(this.lostText)) return answer;
    this.lost += 1;
    throw errors.notReplicated(0, 1);
  }
}

test.serial('the address of a deletion whose last answer is lost is quarantined, then free', async (t) => {
  const store = new LossyStore((await cluster.store()).connection, 'blockstore');
  store.lostText = '"remove":true';
  const flags = { first_shelf_id: '1', last_shelf_id: '1', slots_per_shelf: '1', address_quarantine: '3' };
  await cluster.node('n1', flags, { target: new FakeTarget() }, { store });
  const commands = await cluster.commands();
  const { id, address } = await commands.create(newVolume, deadline);
  await commands.delete(id, deadline);
  await until(() => store.lost === 1, 'the answer was lost');
  await t.throwsAsync(commands.create(newVolume, deadline), { code: 'NoMoreVolumes' });
  const next = await until(() => commands.create(newVolume, deadline), 'the address is free', 20_000);
  t.is(next.address, address);
});

test.serial('the export of a create whose last answer was lost is restored', async (t) => {
  const store = new LossyStore((await cluster.store()).connection, 'blockstore');
  store.lostText = '"status":"available"';
  const target = new FakeTarget();
  await cluster.node('n1', { export_unattached: 'true' }, { target }, { store });
  const { id } = await (await cluster.commands()).create(newVolume, deadline);
  await until(() => store.lost === 1, 'the answer was lost');
  target.exports.delete(id);
  await until(() => target.exports.has(id), 'the export runs again', 20_000);
  t.pass();
});

test.serial('an id that is used again before the answer to its deletion gets another address', async (t) => {
  class ReusingStore extends LossyStore {
    reuse: () => Promise<void> = async () => {};

    override async run(...call: Parameters<Store['run']>): Promise<ScriptAnswer> {
      try {
        return await super.run(...call);
      } catch (error) {
        await this.reuse();
        throw error;
      }
    }
  }
  const store = new ReusingStore((await cluster.store()).connection, 'blockstore');
  store.lostText = '"remove":true';
  await cluster.node('n1', {}, { target: new FakeTarget() }, { store });
  const commands = await cluster.commands();
  const other = await cluster.commands();
  const { id, address } = await commands.create(newVolume, deadline);
  store.reuse = async () => void (await other.create({ ...newVolume, id }));
  await commands.delete(id, deadline);
  const again = await until(async () => {
    const volume = await volumesOf(store).lookup(id);
    return volume.status === 'available' && volume;
  }, 'it is created again');
  t.is(store.lost, 1);
  t.deepEqual([address, again.address], ['e1.0', 'e1.1']);
});

test.serial('a second daemon cannot acquire a name that is held; a node that stops releases it', async (t) => {
  const node = await cluster.node('n1');
  await t.throwsAsync(cluster.node('n1', { state_dir: `${cluster.directory}/elsewhere` }), {
    code: 'NodeNameTaken',
    message: /^node name n1 is leased to .* for another \d s$/,
  });
  await node.stop();
  const store = await cluster.store();
  t.is((await lookupNode(store, 'n1')).state, 'stopped');
  await t.notThrowsAsync(cluster.node('n1', { state_dir: `${cluster.directory}/elsewhere` }));
});

test.serial(
  'storage without a record gets one, a record without storage says so, and says so no more when it is back',
  async (t) => {
    class StrictDriver extends FakeDriver {
      override async hasVolume(volume: VolumeSpec): Promise<boolean> {
        return (await this.listVolumes()).some((found) => found.id === volume.id);
      }
    }
    const driver = new StrictDriver();
    const target = new FakeTarget();
    const first = await cluster.node('n1', {}, { driver, target });
    const commands = await cluster.commands();
    const { id } = await commands.create({ ...newVolume, size: 3 }, deadline);
    const kept = await driver.listVolumes();
    await first.stop();
    const empty = await cluster.node('n1', {}, { driver: new StrictDriver(), target });
    t.like(await empty.getVolume(id), { status: 'error', fault: { code: 'StorageMissing' } });
    await empty.stop();
    const back = await cluster.node('n1', {}, { driver, target });
    t.like(await back.getVolume(id), { status: 'available', fault: undefined });
    await back.stop();
    const { createTime } = await volumesOf(await cluster.store()).lookup(id);
    await (await cluster.store()).redis.flushall();
    const rebuilt = await cluster.node('n1', {}, { driver, target });
    t.deepEqual(await driver.listVolumes(), kept);
    t.like(await rebuilt.getVolume(id), {
      status: 'available',
      size: 3,
      projectId: 'project',
      address: 'e1.0',
      createTime,
    });
  },
);

test.serial('a file of somebody else with the name of a new volume stays, whatever its size', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'failures-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await cluster.node('n1', {}, { driver: new FileDriver({ directory }) });
  const commands = await cluster.commands();
  const id = randomUUID();
  const file = join(directory, `volume-${id}`);
  await writeFile(file, 'mine');
  await t.throwsAsync(commands.create({ ...newVolume, id }, deadline), { code: 'VolumeExists' });
  t.is(await readFile(file, 'utf8'), 'mine');
});

test.serial('a command that was fetched by a daemon that died is carried out by the next one', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await node.stop();
  const { redis, keys } = await cluster.store();
  await commands.delete(id);
  await redis.del(keys.topic('volume.n1')); // fetched, and no more than that
  await redis.xadd(keys.topic('volume.n1'), '*', 'm', JSON.stringify({ volume: randomUUID() }));
  await redis.xadd(keys.topic('volume.n1'), '*', 'm', 'no command');
  await cluster.node('n1');
  await until(async () => (await redis.xlen(keys.topic('volume.n1'))) === 0, 'the topic is empty');
  await until(async () => (await redis.exists(keys.volume(id))) === 0, 'the volume is gone');
  t.pass();
});

test.serial('a volume without its storage can be detached, and is not available for that', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, attachment, deadline);
  await node.stop();
  await cluster.node('n1');
  t.like(await commands.detach(id, deadline), { status: 'error', attachStatus: 'detached', attachments: [] });
  const state = await volumesOf(await cluster.store()).lookup(id);
  t.like(state, { status: 'error', attachStatus: 'detached', fault: { code: 'StorageMissing' } });
  await t.throwsAsync(commands.attach(id, attachment), { code: 'WrongStatus' });
  await commands.delete(id, deadline);
  t.deepEqual(await allOf(node), []);
});
