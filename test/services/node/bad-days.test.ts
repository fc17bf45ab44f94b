import { randomUUID } from 'node:crypto';
import test from 'ava';
import { spec } from '../../lib/drivers/conformance.ts';
import type { DeleteOptions, CreatedVolume, VolumeSpec } from '../../../lib/drivers/driver.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { FaultyDriver as OnceFaultyDriver } from '../../support/faulty-driver.ts';
import { type BlockstoreError, errors } from '../../../lib/errors.ts';
import { Volume } from '../../../lib/models/volume.ts';
import { type ScriptAnswer, Store } from '../../../lib/redis/store.ts';
import { Node } from '../../../lib/models/node.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { ExportSpec } from '../../../lib/targets/target.ts';
import { NoneTarget } from '../../../lib/targets/none/target.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** What bad input and bad days get: a clear error, and records that agree with storage afterwards. */

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

class FaultyTarget extends NoneTarget {
  fault: BlockstoreError | undefined;
  readonly specs: ExportSpec[] = [];

  override async ensureExport(wantedExport: ExportSpec): Promise<void> {
    if (this.fault) throw this.fault;
    this.specs.push(wantedExport);
  }
}

let cluster: Cluster;
test.beforeEach(async () => {
  cluster = await Cluster.start();
});
test.afterEach.always(() => cluster.close());

const wanted = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

async function volumesOf(node: { all(): AsyncIterable<VolumeState> }): Promise<VolumeState[]> {
  return Array.fromAsync(node.all());
}

test.serial('storage that a crash left half-made goes with a creation that there is no room for', async (t) => {
  const driver = new FaultyDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const id = randomUUID();
  await driver.createVolume(spec({ id, size: 1, sizeBytes: 4096 }));
  driver.createFault = errors.noSpace('the pool', 2 ** 30, 0);
  await t.throwsAsync(commands.create({ ...wanted, id }, deadline), { code: 'NoSpace' });
  t.deepEqual(await driver.listVolumes(), []);
  t.deepEqual(await volumesOf(node), []);
});

test.serial(
  'a creation that fails for good leaves an error that can be read and deleted, and takes nothing',
  async (t) => {
    const driver = new FakeDriver();
    const target = new FaultyTarget();
    target.fault = errors.noRawSocket('eth0');
    const node = await cluster.node('n1', { num_shell_tries: '1' }, { driver, target });
    const commands = await cluster.commands();
    await t.throwsAsync(commands.create(wanted, deadline), { code: 'NoRawSocket' });
    const [volume] = await volumesOf(node);
    t.like(volume, { status: 'error', aoeDevice: '', fault: { code: 'NoRawSocket', step: 'export' } });
    t.deepEqual(await driver.listVolumes(), [], 'its storage is given back');
    target.fault = undefined;
    t.is((await commands.create(wanted, deadline)).aoeDevice, 'e1.0', 'its number is given back');
    await commands.delete(volume?.id ?? '', deadline);
    t.is((await volumesOf(node)).length, 1);
  },
);

test.serial('a delete that fails leaves error_deleting, and a later delete ends it', async (t) => {
  const driver = new FaultyDriver();
  const node = await cluster.node('n1', { num_shell_tries: '1' }, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  driver.deleteFault = errors.volumeBusy(id, 'mounted on /mnt');
  await t.throwsAsync(commands.delete(id, deadline), { code: 'VolumeBusy', message: /mounted on \/mnt/ });
  t.like(await node.getVolume(id), { status: 'error_deleting', fault: { code: 'VolumeBusy', step: 'remove' } });
  driver.deleteFault = undefined;
  await commands.delete(id, deadline);
  t.deepEqual(await volumesOf(node), []);
});

test.serial('a failure that passes is tried again and nobody notices', async (t) => {
  const driver = new OnceFaultyDriver(new FakeDriver());
  await cluster.node('n1', { num_shell_tries: '3' }, { driver });
  driver.failOnce('createVolume', errors.exportFailed('x', 'busy for a moment'));
  const commands = await cluster.commands();
  t.is((await commands.create(wanted, deadline)).status, 'available');
});

test.serial(
  'a node without space hands the volume to one that has some; where none has, nothing is left',
  async (t) => {
    const small = await cluster.node('small', {}, { driver: new FakeDriver({ totalBytes: 2 ** 30 }) });
    const commands = await cluster.commands();
    await commands.create(wanted, deadline);
    await t.throwsAsync(commands.create(wanted, deadline), { code: 'NoSpace' });
    t.is((await volumesOf(small)).length, 1);
    await cluster.node('large');
    const created = await Promise.all([1, 2, 3, 4].map(() => commands.create(wanted, deadline)));
    t.true(created.every((volume) => volume.node === 'large' && volume.status === 'available'));
    await t.throwsAsync(commands.create({ ...wanted, node: 'small' }, deadline), { code: 'NoSpace' });
  },
);

test.serial('a creation that nobody waits for tells in its record that there was no room', async (t) => {
  const node = await cluster.node('n1', {}, { driver: new FakeDriver({ totalBytes: 0 }) });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted);
  await until(async () => (await node.getVolume(id)).status === 'error', 'the volume is in error');
  t.is((await node.getVolume(id)).fault?.code, 'NoSpace');
  await commands.delete(id, deadline);
  t.deepEqual(await volumesOf(node), []);
});

test.serial('the same request twice has one effect', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const id = '6f1c2f3e-0000-4000-8000-000000000001';
  const [one, other] = await Promise.all([1, 2].map(() => commands.create({ ...wanted, id }, deadline)));
  t.is(one?.id, other?.id);
  t.is((await volumesOf(node)).length, 1);
  await Promise.all([commands.delete(id, deadline), commands.delete(id, deadline)]);
  t.deepEqual(await volumesOf(node), []);
  const store = await cluster.store();
  await until(async () => (await disagreements(store, [])).length === 0, 'no command is left lying');
});

test.serial('without a node there is no volume', async (t) => {
  const commands = await cluster.commands();
  await t.throwsAsync(commands.create(wanted, deadline), { code: 'NoNodeUp' });
  await t.throwsAsync(commands.create({ ...wanted, node: 'n9' }, deadline), { code: 'NodeNotFound', message: /n9/ });
  const node = await cluster.node('n1');
  await node.stop();
  await t.throwsAsync(commands.create({ ...wanted, node: 'n1' }, deadline), { code: 'NodeDown' });
  t.is(await (await cluster.store()).redis.zcard('{blockstore}:volumes'), 0);
});

test.serial('unknown, ambiguous and badly typed names are told apart', async (t) => {
  await cluster.node('n1');
  const commands = await cluster.commands();
  const ids: [string, string] = ['aaaa0000-0000-4000-8000-000000000001', 'aaaa0000-0000-4000-8000-000000000002'];
  for (const id of ids) await commands.create({ ...wanted, id, name: `name-${id.at(-1)}` }, deadline);
  await t.throwsAsync(commands.detach('nothing'), { code: 'VolumeNotFound', message: 'volume nothing does not exist' });
  await t.throwsAsync(commands.detach('vol-aaaa0000'), { code: 'VolumeAmbiguous', message: /00001, .*00002/ });
  t.is((await commands.attach('name-1', attachment, deadline)).id, ids[0]);
  t.is((await commands.attach(ids[1], attachment, deadline)).id, ids[1]);
  for (const mountpoint of ['vdb', '/mnt', '/dev/', '/dev/../etc', '']) {
    await t.throwsAsync(
      commands.attach('name-1', { ...attachment, mountpoint }),
      { code: 'InvalidArgument' },
      mountpoint,
    );
  }
});

test.serial('an attachment’s rights are on the export while it lasts', async (t) => {
  const target = new FaultyTarget();
  await cluster.node('n1', {}, { target });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  await commands.attach(id, { ...attachment, mode: 'ro', macs: ['52:54:00:00:00:01'] }, deadline);
  await commands.detach(id, deadline);
  const rights = target.specs.map(({ readOnly, hosts }) => ({ readOnly, hosts }));
  const open = { readOnly: false, hosts: [] };
  t.deepEqual(rights, [open, { readOnly: true, hosts: ['52:54:00:00:00:01'] }, open]);
});

test.serial('an attach that fails leaves error_attaching; attaching again mends it', async (t) => {
  const target = new FaultyTarget();
  const node = await cluster.node('n1', { num_shell_tries: '1' }, { target });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  target.fault = errors.exportFailed(id, 'interface down');
  await t.throwsAsync(commands.attach(id, attachment, deadline), { code: 'ExportFailed' });
  t.like(await node.getVolume(id), { status: 'error_attaching', attachStatus: 'detached', instanceId: '' });
  target.fault = undefined;
  t.like(await commands.attach(id, attachment, deadline), {
    status: 'in-use',
    attachStatus: 'attached',
    fault: undefined,
  });
});

test.serial('progress of a long delete shows in the record', async (t) => {
  const driver = new FaultyDriver();
  const gate = Promise.withResolvers<void>();
  driver.gate = gate.promise;
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  await commands.delete(id);
  await until(async () => (await node.getVolume(id)).progress === 42, 'the record shows 42 percent');
  await t.throwsAsync(commands.delete(id, { deadlineMs: 100 }), { code: 'NotFinished', message: /node n1 is at it/ });
  gate.resolve();
  await until(async () => (await volumesOf(node)).length === 0, 'the volume is gone');
});

test.serial('while Redis is away no change is accepted; when it is back all goes on', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  await cluster.server.down();
  await t.throwsAsync(commands.create(wanted, deadline), {
    code: 'RedisUnreachable',
    message: /redis\.sock cannot be reached/,
  });
  await cluster.server.up();
  const id = await until(
    () => commands.create(wanted, deadline).then((volume) => volume.id),
    'a volume can be made again',
  );
  t.is((await node.getVolume(id)).status, 'available');
});

test.serial('Redis going in the middle of an operation only delays it', async (t) => {
  const driver = new FaultyDriver();
  const gate = Promise.withResolvers<void>();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  driver.gate = gate.promise;
  await commands.delete(id);
  await cluster.server.down('SIGKILL');
  gate.resolve();
  await cluster.server.up();
  await until(async () => (await volumesOf(node)).length === 0, 'the volume is gone');
  t.deepEqual(await driver.listVolumes(), []);
});

test.serial('an operation whose last answer from Redis is lost is not undone', async (t) => {
  class ForgetfulStore extends Store {
    lost = 0;

    override async run(...call: Parameters<Store['run']>): Promise<ScriptAnswer> {
      const answer = await super.run(...call);
      if (call[0] !== 'change' || this.lost > 0) return answer;
      this.lost += 1;
      throw errors.redisUnreachable('the test', 'the answer was lost');
    }
  }
  const { connection } = await cluster.store();
  const store = new ForgetfulStore(connection, 'blockstore');
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver }, store);
  const { id } = await (await cluster.commands()).create(wanted, deadline);
  await node.stop();
  t.is(store.lost, 1);
  const { state } = await Volume.lookup(await cluster.store(), id);
  t.like(state, { status: 'available', fault: undefined });
  t.deepEqual(
    (await driver.listVolumes()).map((found) => found.id),
    [id],
    'its storage is there',
  );
});

test.serial('a second daemon cannot take a name that is held; a node that stops gives it back', async (t) => {
  const node = await cluster.node('n1');
  await t.throwsAsync(cluster.node('n1', { state_dir: `${cluster.directory}/elsewhere` }), {
    code: 'NodeNameTaken',
    message: /^node name n1 is leased to .* for another \d s$/,
  });
  await node.stop();
  const store = await cluster.store();
  t.is((await Node.lookup(store, 'n1')).state.state, 'stopped');
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
    const first = await cluster.node('n1', {}, { driver });
    const commands = await cluster.commands();
    const { id } = await commands.create({ ...wanted, size: 3 }, deadline);
    const kept = await driver.listVolumes();
    await first.stop();
    const empty = await cluster.node('n1', {}, { driver: new StrictDriver() });
    t.like(await empty.getVolume(id), { status: 'error', fault: { code: 'StorageMissing' } });
    await empty.stop();
    const back = await cluster.node('n1', {}, { driver });
    t.like(await back.getVolume(id), { status: 'available', fault: undefined });
    await back.stop();
    await (await cluster.store()).redis.flushall();
    const rebuilt = await cluster.node('n1', {}, { driver });
    t.deepEqual(await driver.listVolumes(), kept);
    t.like(await rebuilt.getVolume(id), { status: 'available', size: 3, projectId: 'project', aoeDevice: 'e1.0' });
  },
);

test.serial('a command that was fetched and left lying is carried out, from either topic', async (t) => {
  const node = await cluster.node('n1');
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  await node.stop();
  const { redis, keys } = await cluster.store();
  await commands.delete(id);
  const message = JSON.stringify({ operation: 'delete', id: 'another' });
  await redis.xadd(keys.topic('volume'), '*', 'm', message);
  for (const topic of ['volume', 'volume.n1']) {
    const key = keys.topic(topic);
    await redis.xreadgroup('GROUP', 'nodes', 'gone', 'COUNT', 10, 'STREAMS', key, '>');
    const [[entry] = []] = await redis.xrange(key, '-', '+');
    if (entry === undefined) throw new Error(`nothing in ${topic}`);
    await redis.xclaim(key, 'nodes', 'gone', 0, entry, 'IDLE', 60_000);
  }
  await cluster.node('n1');
  await until(async () => (await redis.xlen(keys.topic('volume'))) === 0, 'the topic of all is empty');
  await until(async () => (await redis.xlen(keys.topic('volume.n1'))) === 0, 'its own topic is empty');
  t.is(await redis.exists(keys.volume(id)), 0);
});

test.serial('a volume without its storage can be detached, and is not available for that', async (t) => {
  const driver = new FakeDriver();
  const node = await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, deadline);
  await commands.attach(id, attachment, deadline);
  await node.stop();
  await cluster.node('n1');
  t.like(await commands.detach(id, deadline), { status: 'error', attachStatus: 'detached', instanceId: '' });
  const { state } = await Volume.lookup(await cluster.store(), id);
  t.like(state, { status: 'error', attachStatus: 'detached', fault: { code: 'StorageMissing' } });
  await t.throwsAsync(commands.attach(id, attachment), { code: 'WrongStatus' });
  await commands.delete(id, deadline);
  t.deepEqual(await volumesOf(node), []);
});
