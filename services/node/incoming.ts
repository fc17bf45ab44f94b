import { KeyedMutex } from '../../lib/concurrency.ts';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import { openData } from '../../lib/drivers/open-data.ts';
import { asError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { MigrationTransport, Receiver } from '../../lib/migration/transport.ts';
import { backendId } from '../../lib/models/backend.ts';
import type { MigrationState } from '../../lib/models/migration-state.ts';
import { migrationsOf } from '../../lib/models/migration.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { Backends } from './backends.ts';
import type { FormerStorage } from './former.ts';
import type { NodeLease } from './lease.ts';
import { isOnStorage, keeperOn, otherKeeper } from './shared-storage.ts';
import { copyLabel, keeperLabel, markedSpec, movedLabel } from './specs.ts';
import { storedVolume } from './found-storage.ts';
import { isCompleteHere, takeComplete } from './take-complete.ts';

export interface IncomingOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  transport: MigrationTransport;
  former: FormerStorage;
  log: Log;
  /** The beginning of the names of topics. */
  topic: string;
}

/**
 * The migrations to this node: makes the storage, receives the data, and removes what it has of those that ended without success. The
 * volume is another backend's meanwhile: nothing here touches its record.
 */
export class IncomingMigrations implements Service {
  readonly name = 'incoming-migrations';
  private readonly options: IncomingOptions;
  /** By the ids of the migrations. */
  private readonly receivers = new Map<string, Receiver>();
  /** Migrations to this node that have not ended, by their ids. */
  private readonly known = new Set<string>();
  /** One migration of a volume at a time. */
  private readonly mutex = new KeyedMutex();
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<void>>();

  constructor(options: IncomingOptions) {
    this.options = options;
  }

  /** Those that an earlier daemon has begun. */
  start(): Promise<void> {
    return this.examine();
  }

  /** All that the records have: after a loss of Redis also those that had ended. */
  async examine(): Promise<void> {
    const { store, lease } = this.options;
    for await (const { id } of migrationsOf(store).iterate(store.keys.nodeMigrations(lease.node))) this.check(id);
  }

  /** What is under way is begun again by the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.options.transport.close();
    await Promise.all(this.running);
  }

  /** A command names this migration: something is to be done for it. */
  check(id: string): void {
    if (this.stopping.signal.aborted) return;
    this.known.add(id);
    const one = this.attend(id)
      .catch((error: unknown) => {
        this.options.log.debug('a migration to this node waits', { migration: id, reason: asError(error).message });
      })
      .finally(() => this.running.delete(one));
    this.running.add(one);
  }

  /** With each report: what could not be done before, and migrations that have ended meanwhile. */
  run(): void {
    for (const id of this.known) this.check(id);
  }

  /**
   * A volume is here from now on: `accept` makes what has arrived its storage. No migration writes to it any more, also where Redis has one
   * again that has ended.
   */
  arrive(volume: string, accept: () => Promise<void>): Promise<void> {
    return this.mutex.run(volume, async () => {
      const ended = [...this.receivers].filter(([, receiver]) => receiver.volume === volume);
      for (const [id] of ended) await this.stopReceiving(id);
      await accept();
    });
  }

  private async attend(id: string): Promise<void> {
    const { store, lease } = this.options;
    const known = await migrationsOf(store).find(id);
    if (known?.node !== lease.node) return this.forget(id);
    await this.mutex.run(known.volume, async () => {
      // As it is now: the source may have gone on since, and the volume have arrived. And as replicas have it: nothing would name the
      // storage of a migration that a failover loses.
      const [migration, volume] = await store.readReplicated(() =>
        Promise.all([migrationsOf(store).find(id), volumesOf(store).find(known.volume)]),
      );
      if (migration?.node !== lease.node) return this.forget(id);
      if (migration.isCancelled || volume?.migration !== id) return this.discard(migration, volume);
      if (!volume.task) return this.takeOver(migration, volume);
      // Without an endpoint it is asked anew what is here.
      const isReady = this.receivers.has(id) && migration.endpoint !== '';
      if (!isReady && !migration.hasArrived && !migration.fault) await this.prepare(migration, volume);
    });
  }

  /**
   * Its node was lost. What is here becomes the volume where it is complete, and else stays as it is: it may be what the volume has left that
   * node for, which that says when it returns.
   */
  private async takeOver(migration: MigrationState, volume: VolumeState): Promise<void> {
    const { store, lease, topic, log } = this.options;
    if (!isCompleteHere(volume, migration, await this.storageOf(migration))) return;
    if (!(await takeComplete({ store, owner: lease.token, topic }, volume, migration))) return;
    log.info(`volume ${volume.id} is here from now on: node ${volume.node} was lost when its migration was complete`);
    await this.forget(migration.id);
  }

  /** The volume is here, or the migration is none of this node. */
  private async forget(id: string): Promise<void> {
    this.known.delete(id);
    if (!this.receivers.has(id)) return;
    await this.stopReceiving(id);
    if (this.receivers.size === 0) await this.options.transport.close();
  }

  private async stopReceiving(id: string): Promise<void> {
    this.receivers.delete(id);
    await this.options.transport.disconnect(id);
  }

  /** Makes the storage and listens. What keeps it from that is the answer to the other node. */
  private async prepare(migration: MigrationState, volume: VolumeState): Promise<void> {
    const { transport } = this.options;
    const { id } = migration;
    try {
      const receiver = await this.makeStorage(migration, volume);
      if (receiver === 'arrived') return await this.change(migration, { set: { arrived: 'true' } });
      if (receiver === 'wait') return;
      this.receivers.set(id, receiver);
      const endpoint = await transport.listen((name) => this.receivers.get(name));
      await this.change(migration, { set: { endpoint } });
    } catch (thrown) {
      const error = asError(thrown);
      if (this.stopping.signal.aborted || error.kind === 'unavailable' || error.code === 'Fenced') throw error;
      this.receivers.delete(id);
      await this.change(migration, { set: { fault: JSON.stringify(error.toFault()) } });
    }
  }

  /**
   * `arrived`: the volume is here, which Redis has lost; `wait`: it was here before, and what it has left is still being removed. Throws
   * VolumeExists, NoSpace, BackendUnavailable, SamePlace.
   */
  private async makeStorage(migration: MigrationState, volume: VolumeState): Promise<Receiver | 'arrived' | 'wait'> {
    const { backends, former, lease } = this.options;
    const backend = backends.get(migration.backend);
    const { driver } = backend;
    const place = backendId(migration.node, migration.backend);
    if (!driver.capabilities.migration) throw errors.notCapable(volume.id, driver.name, 'migration');
    if (await isOnStorage(this.options, backend, volume)) throw errors.isThereAlready(volume.id, place);
    const found = await this.storageOf(migration);
    const keeper = found && (await otherKeeper(this.options, found));
    if (keeper && keeper.state !== 'up') throw errors.storageKeptBy(volume.id, place, keeper.id);
    if (keeper) return 'wait';
    if (found && found.labels[copyLabel] === undefined) {
      const isSame = found.labels['created'] === String(volume.createTime);
      if (isSame) return found.labels[movedLabel] === undefined ? 'arrived' : 'wait';
      throw errors.storageInTheWay(volume.id, place);
    }
    const source = backendId(volume.node, volume.backend);
    const spec = markedSpec(volume, copyLabel, source, keeperOn(backend, lease.node));
    if (!found) await this.change(migration, { unset: ['complete'] }); // what is made now has no data yet
    const { isNew, isBlank = false } = await driver.createVolume(spec, { signal: this.stopping.signal });
    await driver.ensureVolume(spec);
    former.forget({ ...volume, backend: migration.backend });
    return {
      volume: volume.id,
      sizeBytes: sizeInBytes(volume.size),
      key: migration.key,
      isBlank: isNew && isBlank,
      open: (signal) => openData(driver, spec, { access: 'write', signal }),
    };
  }

  private async storageOf({ backend, volume }: MigrationState): Promise<FoundVolume | undefined> {
    const { driver } = this.options.backends.get(backend);
    return storedVolume(driver, volume);
  }

  /** Nothing of the volume stays here, unless it has arrived: then its record has gone with that. */
  private async discard(migration: MigrationState, volume: VolumeState | undefined): Promise<void> {
    const { backends, transport } = this.options;
    const { id, size } = migration;
    await transport.disconnect(id);
    const backend = backends.get(migration.backend);
    const isHere = volume !== undefined && (await isOnStorage(this.options, backend, volume));
    const isInUse = isHere || (await this.isOfAnother(migration, volume));
    const found = isInUse ? undefined : await this.storageOf(migration);
    // Of what is not listed, parts may be left.
    if (!isInUse && (!found || this.isOwnCopy(found))) {
      const spec = { id: migration.volume, size, sizeBytes: sizeInBytes(size), labels: found?.labels ?? {} };
      await this.change(migration, {}); // the lease, before anything is destroyed
      await backend.driver.deleteVolume(spec, { signal: this.stopping.signal, unused: !found });
    }
    await this.change(migration, { remove: true });
    await this.forget(id);
  }

  /** Of storage that several nodes reach, another one may have made it. */
  private isOwnCopy({ labels }: FoundVolume): boolean {
    const { node } = this.options.lease;
    return labels[copyLabel] !== undefined && (labels[keeperLabel] ?? node) === node;
  }

  /** Whether a later migration of the volume to the same backend has its storage now. */
  private async isOfAnother({ id, backend }: MigrationState, volume: VolumeState | undefined): Promise<boolean> {
    const { store, lease } = this.options;
    if (!volume || volume.migration === '' || volume.migration === id) return false;
    const present = await migrationsOf(store).find(volume.migration);
    return present?.node === lease.node && present.backend === backend;
  }

  /** Throws Fenced. A migration that has ended meanwhile is looked at again. */
  private async change({ id, key }: MigrationState, edit: Pick<Edit, 'set' | 'unset' | 'remove'>): Promise<void> {
    const { store, lease } = this.options;
    const edits = [{ kind: 'migration', id, expect: { node: lease.node, key }, optional: true, ...edit } as const];
    const outcome = await commit(store, { owner: lease.token, edits, frees: true });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  }
}
