import { join } from 'node:path';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import { capabilityNames } from '../../lib/drivers/capabilities.ts';
import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { ImageCache } from '../../lib/images/cache.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { Log } from '../../lib/log.ts';
import type { BackendReport } from '../../lib/models/backend.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { ChildProcesses } from '../../lib/process.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type Service, ServiceTree } from '../../lib/service.ts';
import { version } from '../../lib/version.ts';
import type { MigrationTransport } from '../../lib/migration/transport.ts';
import { AbandonedVolumes } from './abandoned.ts';
import { Addresses } from './addresses.ts';
import { Adopter } from './adopter.ts';
import { Audit } from './audit.ts';
import type { Backend, Backends } from './backends.ts';
import { CapacityMonitor } from './capacity.ts';
import { Consumer } from './consumer.ts';
import { Engine } from './engine/engine.ts';
import type { EverySecond } from './every-second.ts';
import { endExpiredTransfers } from './expired-transfers.ts';
import { FormerStorage } from './former.ts';
import { Heartbeat, backendReport } from './heartbeat.ts';
import type { ObserveOperation } from './engine/operation-outcome.ts';
import { IncomingMigrations } from './incoming.ts';
import type { NodeLease } from './lease.ts';
import { migrationsFrom } from './migrations.ts';
import { NodeTasks } from './node-tasks.ts';
import { PeerTasks } from './peer-tasks.ts';
import { Problems } from './problems.ts';
import { Reconciler } from './reconciler.ts';
import { CatchUp } from './catch-up.ts';
import { Reporter } from './reporter.ts';
import { type NodeFigures, operationsByKind, volumesByStatus } from './figures.ts';
import { sharedIdentity } from './shared-storage.ts';
import { SnapshotJobs } from './snapshot-jobs.ts';
import { snapshotReaders } from './snapshot-readers.ts';
import { SnapshotRecords } from './snapshot-records.ts';
import { SupersededStorage } from './superseded.ts';
import { VolumeTable } from './volume-table.ts';

export interface StorageNodeOptions {
  flags: Flags;
  store: Store;
  /** The same records over a connection that only heartbeats use. */
  heartbeatStore: Store;
  lease: NodeLease;
  backends: Backends;
  log: Log;
  /** Called once when another daemon has taken the node's name. */
  onFenced: (error: BlockstoreError) => void;
  everySecond: EverySecond | undefined;
  observe: ObserveOperation | undefined;
  transport: MigrationTransport;
}

/** Nodes of the cluster that compare records and storage at a time after a loss of Redis. */
const catchUpPlaces = 50;
const catchUpJitterMs = 5000;

/** What runs while the daemon holds its node's name: reports, reconciliation, operations, commands. */
export class StorageNode implements Service {
  readonly name = 'storage-node';
  private readonly options: StorageNodeOptions;
  private readonly tree = new ServiceTree('storage-node');
  private readonly startTime = Date.now();
  private readonly capacities: ReadonlyMap<string, CapacityMonitor>;
  private readonly addresses: Addresses;
  private readonly table: VolumeTable;
  private readonly engine: Engine;
  private readonly problems: Problems;
  private readonly former: FormerStorage;
  private readonly superseded: SupersededStorage;
  private readonly incoming: IncomingMigrations;
  private readonly jobs: SnapshotJobs;
  private readonly reconciler: Reconciler;
  private readonly nodeTasks: NodeTasks;
  private readonly peerTasks: PeerTasks;
  private readonly consumer: Consumer;
  private readonly catchUp: CatchUp;
  private readonly heartbeat: Heartbeat;
  private isFenced = false;
  /** The network problems in the last report. */
  private reported = '';
  /** The last report that Redis has, and when that was, by the monotonic clock. */
  private last: { backends: readonly BackendReport[]; problems: number; at: number } | undefined;

  constructor(options: StorageNodeOptions) {
    this.options = options;
    const { flags, store, lease, backends, log } = options;
    const exportUnattached = flags.export_unattached;
    const shared = { store, lease, backends, log, exportUnattached };
    const patienceMs = flags.node_down_time * 250;
    this.capacities = new Map(
      backends.configured.map(({ name, driver }) => [name, new CapacityMonitor({ driver, patienceMs, log })]),
    );
    this.addresses = new Addresses({
      store,
      lease,
      targets: () => backends.served.map(({ target }) => target),
      shelves: shelvesIn(flags),
      quarantineMs: flags.address_quarantine * 1000,
    });
    const table = new VolumeTable({ exportUnattached });
    this.table = table;
    this.former = new FormerStorage(shared);
    this.superseded = new SupersededStorage({ ...shared, former: this.former });
    this.incoming = new IncomingMigrations({
      ...shared,
      former: this.former,
      transport: options.transport,
      topic: flags.volume_topic,
    });
    const processes = new ChildProcesses();
    const cache = new ImageCache(join(flags.state_dir, 'image-cache'), flags.image_cache_gib * 2 ** 30);
    const images = { store: openImageStore(flags), cache, processes };
    const backups = { store: openBackupStore(flags), processes };
    this.jobs = new SnapshotJobs({
      ...shared,
      topic: flags.volume_topic,
      tries: flags.num_shell_tries,
      readers: snapshotReaders(images, backups),
    });
    this.problems = new Problems(backends, log);
    this.engine = new Engine({
      ...shared,
      problems: this.problems,
      addresses: this.addresses,
      table,
      topic: flags.volume_topic,
      images,
      backups,
      migrations: migrationsFrom(
        { store, lease, incoming: this.incoming },
        {
          topic: flags.volume_topic,
          stallMs: flags.migration_stall * 1000,
          transport: options.transport,
        },
      ),
      former: this.former,
      tries: flags.num_shell_tries,
      maxShortOperations: flags.max_operations,
      observe: options.observe,
      onFenced: () => void this.catchUp.regain(),
    });
    const adopting = {
      ...shared,
      addresses: this.addresses,
      table,
      availabilityZone: flags.storage_availability_zone,
      topic: flags.volume_topic,
      former: this.former,
    };
    const adoption = new Adopter(adopting);
    const working = { ...adopting, engine: this.engine, problems: this.problems };
    const abandoned = new AbandonedVolumes(working);
    const snapshots = new SnapshotRecords(adopting);
    this.reconciler = new Reconciler({
      ...working,
      adoption,
      abandoned,
      superseded: this.superseded,
      snapshots,
    });
    const audit = new Audit({ ...working, adoption, snapshots });
    this.nodeTasks = new NodeTasks({ store, lease, audit, log, regain: () => this.catchUp.regain() });
    this.peerTasks = new PeerTasks(working);
    this.consumer = new Consumer({
      store,
      engine: this.engine,
      log,
      node: lease.node,
      topic: flags.volume_topic,
      onNodeTask: () => this.nodeTasks.check(),
      onTaken: (id) => void table.taken.add(id),
      onMigration: (id) => this.incoming.check(id),
      onJob: (id) => this.jobs.check(id),
    });
    this.catchUp = new CatchUp({
      ...shared,
      audit,
      addresses: this.addresses,
      restoreAbandoned: async () => {
        await abandoned.restore();
        await this.superseded.label();
        this.former.examine();
        await this.incoming.examine();
        await this.jobs.examine();
      },
      onFenced: (error) => this.endFenced(error),
      isBusy: (id) => this.engine.isBusy(id),
      places: catchUpPlaces,
      jitterMs: Math.min(catchUpJitterMs, flags.report_interval * 500),
    });
    this.heartbeat = new Heartbeat({
      store: options.heartbeatStore,
      lease,
      overdueMs: flags.report_interval * 1000,
    });
  }

  async start(): Promise<void> {
    const { store, heartbeatStore } = this.options;
    const children = [
      this.every('heartbeat', () => this.reportState(), true, {
        isUrgent: () => this.networkProblems() !== this.reported,
        isRedisAway: () => store.connection.isAway || heartbeatStore.redis.status !== 'ready',
      }),
      service('reconciliation', { start: () => this.reconcile() }),
      this.every('upkeep', () => this.upkeep(), false),
      service('engine', { stop: () => this.engine.stop(this.options.flags.stop_timeout * 1000) }),
      service('catch-up', { stop: async () => this.catchUp.stop() }),
      this.nodeTasks,
      this.former,
      this.incoming,
      this.jobs,
      this.consumer,
    ];
    for (const child of children) await this.tree.add(child);
    await this.tree.start();
  }

  /** What is under way ends or is resumed at the next start; exports continue. Then the node's name is free. */
  async stop(): Promise<void> {
    await this.tree.stop();
    if (this.isFenced) return;
    try {
      await this.options.lease.release();
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced') return this.endFenced(error);
      if (error.kind !== 'unavailable') throw error;
      this.options.log.warn(`could not release the lease; the node shows as down when it expires: ${error.message}`);
    }
  }

  /** Heartbeat, capacity, problems, version; then tasks that are overdue are re-driven. */
  async reportState(): Promise<void> {
    const { flags, store } = this.options;
    if (this.isFenced) return;
    this.reported = this.networkProblems();
    const problems = [...store.connection.problems, ...this.addresses.problems, ...this.problems.report()];
    const backends = await this.backendReports();
    const overdue = await this.heartbeat.beat(
      {
        availabilityZone: flags.storage_availability_zone,
        version,
        startTime: this.startTime,
        quarantineMs: flags.address_quarantine * 1000,
        problems,
      },
      backends,
    );
    this.last = { backends, problems: problems.length, at: performance.now() };
    if (!this.reconciler.isDone) return;
    const { states } = await volumesOf(store).readAll(overdue.filter((id) => !this.engine.isBusy(id)));
    for (const volume of states) this.engine.submit(volume, { isResumed: true });
  }

  figures(): NodeFigures {
    const { last, engine, table, reconciler } = this;
    const { backends } = this.options;
    const counted = backends.configured.flatMap(({ name, target: { restarts } }) =>
      restarts === undefined ? [] : ([[name, restarts]] as const),
    );
    return {
      volumes: volumesByStatus(table, engine.underWay),
      operations: operationsByKind(engine.underWay),
      backends: last?.backends ?? [],
      served: new Set(backends.served.map(({ name }) => name)),
      exports: reconciler.exports,
      restarts: new Map(counted),
      problems: last?.problems ?? 0,
      leaseAgeMs: last && !this.isFenced ? performance.now() - last.at : undefined,
      isCatchingUp: this.catchUp.isDue,
    };
  }

  private async backendReports(): Promise<BackendReport[]> {
    const { backends, flags } = this.options;
    return Promise.all(
      backends.configured.map(async ({ name, driver, target }) => {
        const failure = backends.failureOf(name);
        const capacity = this.capacities.get(name);
        const stats =
          capacity && failure === undefined
            ? await capacity.read()
            : { totalBytes: 0, freeBytes: 0, volumeBytes: 0, acceptsCreates: false };
        const about = {
          name,
          driver: driver.name,
          target: target.name,
          pool: driver.pool,
          capabilities: capabilityNames.filter((capability) => driver.capabilities[capability]),
          shared: failure === undefined ? sharedIdentity({ driver, target }) : undefined,
          endpoint: target.endpoint,
          availabilityZone: flags.storage_availability_zone,
        };
        const isReady = this.reconciler.isDone && !this.catchUp.isDue;
        const broken = target.problems().find(({ id }) => id === undefined);
        return backendReport(about, stats, { isReady, problem: failure ?? capacity?.problem ?? broken?.error.message });
      }),
    );
  }

  private async reconcile(): Promise<void> {
    try {
      await this.catchUp.start(); // what Redis loses from now on is compared again
      await this.superseded.label();
      this.catchUp.examine(await this.reconciler.reconcileAll());
      await this.reportState();
    } catch (error) {
      await this.engine.stop(0); // what was begun already must not continue in a daemon that ends
      throw error;
    }
  }

  /** What would go wrong unnoticed: changes that Redis lost, exports that ended, backends that can be served again. */
  private async upkeep(): Promise<void> {
    if (this.isFenced) return;
    await this.catchUp.run();
    const returned = await this.options.backends.retry();
    if (returned.length > 0 || this.superseded.ids.size > 0) await this.superseded.label();
    for (const backend of returned) await this.reconciler.adoptBackend(backend);
    await this.reconciler.restoreExports();
    // After the exports: a full Redis refuses to have again what it has lost.
    await Promise.all([this.addresses.restore(), endExpiredTransfers(this.options)]);
    await this.addresses.trimQuarantine(); // after restore(), which learns from it what was returned
    this.incoming.run();
    this.jobs.run();
    if (!this.reconciler.isDone || this.catchUp.isDue) return;
    await this.former.run();
    await this.peerTasks.run();
  }

  /** What keeps whole backends from being reached: no volume should be placed there for the rest of a report interval. */
  private networkProblems(): string {
    const ofTarget = ({ target }: Backend) => target.problems().find(({ id }) => id === undefined)?.error.message;
    return this.options.backends.configured.map((backend) => ofTarget(backend) ?? '').join('\n');
  }

  private every(
    name: string,
    report: () => Promise<void>,
    atOnce: boolean,
    more: { isUrgent?: () => boolean; isRedisAway?: () => boolean } = {},
  ): Reporter {
    const { flags, log, everySecond } = this.options;
    const onFenced = () => void this.catchUp.regain();
    const intervalS = flags.report_interval;
    return new Reporter({
      name,
      intervalS,
      report,
      atOnce,
      log,
      everySecond,
      onFenced,
      ...more,
    });
  }

  private endFenced(error: BlockstoreError): void {
    if (this.isFenced) return;
    this.isFenced = true;
    this.engine.abort();
    this.jobs.abort();
    this.options.log.error(error.message, { hint: error.hint });
    this.options.onFenced(error);
  }
}

function shelvesIn(flags: Flags): { first: number; last: number; slots: number } {
  return {
    first: flags.first_shelf_id < 0 ? 1 : flags.first_shelf_id,
    last: flags.last_shelf_id < 0 ? 65_534 : flags.last_shelf_id,
    slots: flags.slots_per_shelf,
  };
}

function service(name: string, { start, stop }: Partial<Pick<Service, 'start' | 'stop'>>): Service {
  return { name, start: start ?? (async () => {}), stop: stop ?? (async () => {}) };
}
