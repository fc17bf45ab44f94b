import { randomBytes, randomFillSync } from 'node:crypto';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { cancelMigration } from '../../../lib/client/cancel-migration.ts';
import { drain } from '../../../lib/client/drain.ts';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { removeNode } from '../../../lib/client/remove-node.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { attachmentsOfVolume } from '../../../lib/models/attachment.ts';
import { backendsOf } from '../../../lib/models/backend.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { ExportSpec } from '../../../lib/targets/target.ts';
import type { BlockStore } from '../../../services/node/block-store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

/** Attached volumes that move between nodes, with the driver file; a host writes to whatever serves its address. */

const MiB = 2 ** 20;
const sizeBytes = 100 * MiB;
const deadline = { deadlineMs: 120_000 };
const mac = '02:00:00:00:00:01';

let cluster: Cluster;
let store: Store;
let volumes: VolumeCommands;
let migrations: MigrationCommands;
let places: Map<string, { driver: FileDriver; target: Wired }>;

/** A target on a wire that all nodes share: of two that serve one address the test hears. */
class Wired extends FakeTarget {
  override readonly name = 'aoe';
  /** Called before an export ends. */
  beforeEnd: () => Promise<void> = async () => {};
  private readonly machine: string;

  constructor(machine: string) {
    super();
    this.machine = machine;
  }

  override async ensureExport(spec: ExportSpec): Promise<void> {
    const other = serving(spec.address).find(({ name, found }) => name !== this.machine || found.id !== spec.id);
    if (other) throw errors.addressInUse(spec.id, spec.address, other.name);
    await super.ensureExport(spec);
  }

  override async removeExport(id: string): Promise<void> {
    if (this.exports.has(id)) await this.beforeEnd();
    await super.removeExport(id);
  }
}

function serving(address: string) {
  return Array.from(places, ([place, { target }]) =>
    [...target.exports.values()]
      .filter((found) => found.address === address)
      .map((found) => ({ name: place.replace(/@.*/, ''), found })),
  ).flat();
}

test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  volumes = await cluster.commands();
  migrations = new MigrationCommands(store, volumes, 'volume');
  places = new Map();
});
test.afterEach.always(() => cluster.close());

async function node(name: string, backends: readonly string[] = ['files'], flags = {}): Promise<BlockStore> {
  const made = await Promise.all(
    backends.map(async (backend) => {
      const place = `${name}@${backend}`;
      const directory = join(cluster.directory, place);
      await mkdir(directory, { recursive: true });
      // Exports outlive the daemon.
      const target = places.get(place)?.target ?? new Wired(name);
      const driver = new FileDriver({ directory });
      places.set(place, { driver, target });
      return { name: backend, driver, target };
    }),
  );
  return cluster.node(name, { report_interval: '1', node_down_time: '30', slots_per_shelf: '16', ...flags }, made);
}

function at(place: string) {
  const found = places.get(place);
  if (!found) throw new Error(`no place ${place}`);
  return found;
}

function pathAt(place: string, id: string): string {
  return at(place).driver.localPath({ id, size: 0, sizeBytes, labels: {} });
}

/** Writes to an address as a host does: an answer only where one node serves it, else it repeats. */
class Writer {
  readonly data = Buffer.alloc(sizeBytes);
  longestMs = 0;
  writes = 0;
  private readonly address: string;
  private isEnding = false;
  private running: Promise<void> | undefined;

  constructor(address: string) {
    this.address = address;
  }

  start(): void {
    this.running = this.run();
  }

  private async run(): Promise<void> {
    while (!this.isEnding) {
      const block = randomBytes(4096);
      const offset = (this.writes * 7919 * 4096) % sizeBytes;
      const began = performance.now();
      while (!(await this.write(block, offset))) await pause(5);
      this.longestMs = Math.max(this.longestMs, performance.now() - began);
      block.copy(this.data, offset);
      this.writes += 1;
      await pause(2);
    }
  }

  private async write(block: Buffer, offset: number): Promise<boolean> {
    const servers = serving(this.address);
    if (servers.length > 1) throw new Error('two nodes serve one address');
    const [server] = servers;
    if (!server?.found.hosts.includes(mac)) return false;
    const file = await open(server.found.path, 'r+');
    try {
      // No answer comes from an export that has ended meanwhile.
      if (!serving(this.address).includes(server) && serving(this.address)[0]?.found !== server.found) return false;
      await file.write(block, 0, block.length, offset);
    } finally {
      await file.close();
    }
    return serving(this.address)[0]?.found === server.found;
  }

  async end(): Promise<void> {
    this.isEnding = true;
    await this.running;
  }
}

async function attachedAt(place: string): Promise<VolumeState> {
  const { id } = await volumes.create({ size: 0, userId: 'user', projectId: 'project', node: place }, deadline);
  await volumes.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: [mac] }, deadline);
  return volumesOf(store).lookup(id);
}

/** Nothing is left of a migration, and everything agrees. */
async function settled(): Promise<string[]> {
  const problems = async () => {
    const stored = await Promise.all(
      Array.from(places, async ([place, { driver }]) => ({ place, volumes: await driver.listVolumes() })),
    );
    const byNode = Map.groupBy(stored, ({ place }) => place.replace(/@.*/, ''));
    const storages = Array.from(byNode, ([name, all]) => ({ node: name, volumes: all.flatMap((one) => one.volumes) }));
    return disagreements(store, storages);
  };
  await until(async () => (await problems()).length === 0, 'all agrees', 30_000).catch(() => undefined);
  return problems();
}

test.serial('an attached volume moves while its host writes to it, and keeps its address', async (t) => {
  await node('n1');
  await node('n2');
  const { id, address } = await attachedAt('n1@files');
  const writer = new Writer(address);
  writer.start();
  await until(async () => writer.writes > 20, 'the host writes');
  const moved = await migrations.migrate(id, { to: 'n2' }, deadline);
  t.like(moved, { status: 'in-use', attachStatus: 'attached', node: 'n2', address, lender: 'n1', migration: '' });
  const { writes } = writer;
  await until(async () => writer.writes > writes + 20, 'the host writes on');
  await writer.end();
  t.log(`${writer.writes} writes; the longest took ${Math.round(writer.longestMs)} ms`);
  t.true((await readFile(pathAt('n2@files', id))).equals(writer.data));
  t.deepEqual(
    serving(address).map(({ name }) => name),
    ['n2'],
  );
  t.like(at('n2@files').target.exports.get(id), { hosts: [mac], readOnly: false });
  t.deepEqual(await settled(), []);
  t.deepEqual(
    (await at('n1@files').driver.listVolumes()).map((one) => one.id),
    [],
    'its former storage is gone',
  );
});

test.serial('a volume whose migration is cancelled stays where its host writes to it', async (t) => {
  await node('n1', ['files'], { migration_rate: '10' });
  await node('n2');
  const { id, address } = await attachedAt('n1@files');
  const writer = new Writer(address);
  randomFillSync(writer.data);
  await writeFile(pathAt('n1@files', id), writer.data, { flag: 'r+' });
  writer.start();
  await until(async () => writer.writes > 20, 'the host writes');
  const end = migrations.migrate(id, { to: 'n2' }, deadline).catch((error: unknown) => error);
  await until(async () => (await volumesOf(store).lookup(id)).status === 'migrating', 'it has begun');
  const cancelled = await cancelMigration({ store, commands: volumes }, id, deadline);
  t.like(cancelled, { status: 'in-use', attachStatus: 'attached', node: 'n1', address, lender: '', migration: '' });
  t.like(await end, { code: 'MigrationCancelled' });
  const { writes } = writer;
  await until(async () => writer.writes > writes + 20, 'the host writes on');
  await writer.end();
  t.true((await readFile(pathAt('n1@files', id))).equals(writer.data));
  t.deepEqual(await settled(), []);
});

test.serial('an address comes back to its node once the volume that left with it is detached', async (t) => {
  const n1 = await node('n1', ['files'], { address_quarantine: '600' });
  await node('n2');
  const { id, address, attachments } = await attachedAt('n1@files');
  await migrations.migrate(id, { to: 'n2' }, deadline);
  t.deepEqual(await settled(), []);
  await n1.stop();
  const lent = { code: 'AddressesLent', message: new RegExp(id) };
  await t.throwsAsync(removeNode(store, 'n1', { topic: 'volume' }), lent);
  await node('n1', ['files'], { address_quarantine: '600' });
  const others = await Promise.all([1, 2].map(() => attachedAt('n1@files')));
  t.false(
    others.some((one) => one.address === address),
    'hosts use it on',
  );

  t.like(await volumes.detach(id, { ...deadline, attachment: attachments[0] ?? '' }), { address: '', lender: '' });
  t.truthy(await store.redis.zscore(store.keys.quarantine('n1'), address), 'it rests at its node');
  const { address: next } = await attachedAt('n1@files');
  t.not(next, address);
  const again = await volumes.attach(id, { instanceId: 'i-2', mountpoint: '/dev/vdb' }, deadline);
  t.is(await store.redis.hget(store.keys.shelfOwners(), again.address.replace(/^e(\d+)\..*/, '$1')), 'n2');
  t.deepEqual(serving(address), []);
  t.deepEqual(await settled(), []);
});

test.serial('a volume that moves on, or back, keeps the address of the node that it began at', async (t) => {
  await node('n1', ['files', 'others']);
  await node('n2');
  await node('n3');
  const { id, address } = await attachedAt('n1@files');
  const writer = new Writer(address);
  writer.start();
  for (const [to, lender] of [
    ['n1@others', ''],
    ['n2', 'n1'],
    ['n3', 'n1'],
    ['n1@files', ''],
  ] as const) {
    const { writes } = writer;
    t.like(await migrations.migrate(id, { to }, deadline), { status: 'in-use', address, lender });
    await until(async () => writer.writes > writes + 5, 'the host writes on');
  }
  await writer.end();
  t.true((await readFile(pathAt('n1@files', id))).equals(writer.data));
  t.like(await volumes.detach(id, deadline), { address, lender: '', status: 'available' });
  t.deepEqual(await settled(), []);
});

test.serial('hosts that would wait too long have the volume where it is', async (t) => {
  await node('n1', ['files'], { migration_stall: '8' });
  await node('n2');
  const { id, address } = await attachedAt('n1@files');
  const writer = new Writer(address);
  writer.start();
  at('n1@files').target.beforeEnd = () => pause(9000);
  await t.throwsAsync(migrations.migrate(id, { to: 'n2' }, deadline), { code: 'StallTooLong' });
  const { writes } = writer;
  await until(async () => writer.writes > writes + 20, 'the host writes on');
  t.like(await volumesOf(store).lookup(id), {
    status: 'in-use',
    attachStatus: 'attached',
    node: 'n1',
    address,
    lender: '',
  });
  t.deepEqual(
    serving(address).map(({ name }) => name),
    ['n1'],
  );
  at('n1@files').target.beforeEnd = async () => {};
  t.like(await migrations.migrate(id, { to: 'n2' }, deadline), { node: 'n2' });
  await writer.end();
  t.true((await readFile(pathAt('n2@files', id))).equals(writer.data));
  t.deepEqual(await settled(), []);
});

test.serial(
  'a daemon that ends while hosts wait has them served meanwhile, and moves the volume at its next start',
  async (t) => {
    const n1 = await node('n1', ['files'], { stop_timeout: '0' });
    await node('n2');
    const { id, address } = await attachedAt('n1@files');
    const writer = new Writer(address);
    writer.start();
    const { promise: begins, resolve: begin } = Promise.withResolvers<void>();
    at('n1@files').target.beforeEnd = async () => {
      begin();
      await pause(500);
    };
    const moved = migrations.migrate(id, { to: 'n2' }, deadline);
    await begins;
    await t.throwsAsync(volumes.detach(id, deadline), { code: 'WrongStatus', message: /is migrating/ });
    await n1.stop();
    t.like(await volumesOf(store).lookup(id), { status: 'migrating', node: 'n1' });
    const { writes } = writer;
    await until(async () => writer.writes > writes + 20, 'the host writes on');
    at('n1@files').target.beforeEnd = async () => {};
    await node('n1');
    t.like(await moved, { node: 'n2', status: 'in-use', address });
    await writer.end();
    t.true((await readFile(pathAt('n2@files', id))).equals(writer.data));
    t.deepEqual(await settled(), []);
  },
);

test.serial(
  'storage that a volume has left while it was attached is not served again, although Redis has lost that',
  async (t) => {
    const n1 = await node('n1');
    await node('n2');
    const { id, address, attachments } = await attachedAt('n1@files');
    const before = await store.redis.hgetall(store.keys.volume(id));
    const writer = new Writer(address);
    writer.start();
    const { driver } = at('n1@files');
    const remove = driver.deleteVolume.bind(driver);
    driver.deleteVolume = () => Promise.reject(new Error('busy')); // its removal waits: Redis goes back meanwhile
    await migrations.migrate(id, { to: 'n2' }, deadline);
    await n1.stop();
    await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
    await commit(store, { edits: [{ kind: 'volume', id, insert: true, set: before }] });
    t.is((await volumesOf(store).lookup(id)).node, 'n1');
    driver.deleteVolume = remove;
    await node('n1');
    await until(
      async () => (await volumesOf(store).lookup(id)).node === 'n2',
      'its record names the node that has its data',
    );
    await until(async () => (await volumesOf(store).lookup(id)).status === 'in-use', 'it is in use there');
    const { writes } = writer;
    await until(async () => writer.writes > writes + 5, 'the host writes on');
    await writer.end();
    t.like(await volumesOf(store).lookup(id), { address, lender: 'n1', attachments });
    t.true((await readFile(pathAt('n2@files', id))).equals(writer.data));
    t.deepEqual(await settled(), []);
  },
);

test.serial('the records of volumes with lent addresses are made again after a loss of Redis', async (t) => {
  await node('n1');
  await node('n2');
  const { id, address } = await attachedAt('n1@files');
  await migrations.migrate(id, { to: 'n2' }, deadline);
  t.deepEqual(await settled(), []);
  await store.redis.flushall();
  await until(async () => (await volumesOf(store).find(id))?.status === 'in-use', 'its record is there', 120_000);
  t.like(await volumesOf(store).lookup(id), { node: 'n2', address, lender: 'n1' });
  const isBack = async () => (await backendsOf(store).readAll(['n1@files'])).states[0]?.accepting === true;
  await until(isBack, 'its node takes volumes');
  const another = await attachedAt('n1@files');
  t.not(another.address, address);
  t.deepEqual(await settled(), []);
  const [attachment] = await attachmentsOfVolume(store, await volumesOf(store).lookup(id));
  await volumes.detach(id, { ...deadline, attachment: attachment?.id ?? '' });
  t.like(await volumesOf(store).lookup(id), { address: '', lender: '' });
  t.deepEqual(await settled(), []);
});

test.serial('a node that is drained moves attached volumes', async (t) => {
  await node('n1');
  await node('n2');
  const made = await Promise.all([1, 2, 3].map(() => attachedAt('n1@files')));
  const failed: string[] = [];
  await drain(store, (id) => migrations.migrate(id, {}, deadline), 'n1', {
    onMoved: ({ node: place }) => t.is(place, 'n2'),
    onFailed: (id, { message }) => void failed.push(`${id} ${message}`),
    onUnreadable: () => t.fail(),
  });
  t.deepEqual(failed, []);
  for (const { id, address } of made) t.like(await volumesOf(store).lookup(id), { node: 'n2', address, lender: 'n1' });
  t.deepEqual(await settled(), []);
});
