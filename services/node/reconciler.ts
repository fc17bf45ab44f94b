import { shelfOf, tryParseAddress } from '../../lib/aoe/address.ts';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { isAllowed } from '../../lib/models/volume-edit.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { FoundExport, Target } from '../../lib/targets/target.ts';
import type { AbandonedVolumes } from './abandoned.ts';
import type { Adopter, AdoptionOptions } from './adopter.ts';
import type { Backend } from './backends.ts';
import { eachVolume } from './each-volume.ts';
import type { Engine } from './engine/engine.ts';
import { FoundStorage, type StoredVolume, storedOn, storedVolume } from './found-storage.ts';
import { followMoved, noteMoved } from './moved-here.ts';
import type { Problems } from './problems.ts';
import { type SnapshotRecords, type StoredSnapshot, snapshotsOn } from './snapshot-records.ts';
import { withoutOthers } from './shared-storage.ts';
import { exportCounts } from './export-counts.ts';
import type { ExportCount } from './figures.ts';
import { isExported, isMarked } from './specs.ts';
import type { SupersededStorage } from './superseded.ts';

export interface ReconcilerOptions extends AdoptionOptions {
  engine: Engine;
  adoption: Adopter;
  snapshots: SnapshotRecords;
  abandoned: AbandonedVolumes;
  superseded: SupersededStorage;
  problems: Problems;
}

/** Records that are read at once. */
const pageSize = 500;

/** Makes records, storage and exports of this node agree: wholly at start, then for single volumes. */
export class Reconciler {
  private readonly options: ReconcilerOptions;
  /** Whether every volume of the node has been examined. */
  isDone = false;
  /** By backend. */
  exports: ReadonlyMap<string, ExportCount> = new Map();

  constructor(options: ReconcilerOptions) {
    this.options = options;
  }

  /**
   * Reconciles every volume. A difference that cannot be repaired is reported, one line each, and keeps no other volume from being served.
   * Returns the volumes whose tasks it has resumed, without a look at their storage, and those that have storage of migrations here, of
   * which Redis may have lost the records.
   */
  async reconcileAll(): Promise<string[]> {
    const { store, lease, backends, addresses, engine, adoption, snapshots, abandoned, problems, log, table } =
      this.options;
    const due: VolumeState[] = [];
    const settled: VolumeState[] = [];
    const found = await adoption.readStorage();
    await addresses.load();
    for (const { id, labels } of found.all) if (!isMarked(labels)) addresses.label(id, labels);
    await addresses.assertShelves(shelvesOf(addresses.pool.used)); // before anything is exported at an address of them
    await abandoned.restore();
    const running = await adoption.runningExports();
    /** Backends of the recorded volumes. */
    const recorded = new Map<string, string>();
    /** Volumes whose tasks are resumed, or whose export shows an attachment that Redis has lost: it may have to go on. */
    const left = new Set<string>();
    const records = volumesOf(store).iterate(store.keys.nodeVolumes(lease.node), ({ id, reason, hash }) => {
      problems.noteUnreadable(id, reason);
      addresses.use(id, hash);
    });
    await eachVolume(records, async (volume) => {
      recorded.set(volume.id, volume.backend);
      adoption.learn(volume);
      (volume.task ? due : settled).push(volume);
      if (!volume.task) {
        await problems.during(volume.id, () => adoption.adopt(volume, found.of(volume), running.get(volume.id)));
      }
      if (volume.task || (running.has(volume.id) && isAllowed('restoreAttachment', volume))) left.add(volume.id);
    });
    for (const id of [...problems.unreadableVolumes, ...abandoned.ids, ...this.options.superseded.ids])
      recorded.set(id, '');
    // Redis may have lost the record of an export whose storage is not known yet.
    const unknown = backends.areAllServed ? [] : [...running].filter(([id]) => !recorded.has(id) && !found.has(id));
    for (const [id, { address }] of unknown) addresses.pool.use(id, address);
    await addresses.assertShelves(shelvesOf(addresses.pool.used));
    const unrecorded = found.first.filter(({ id }) => !recorded.has(id));
    await this.restoreRecords(unrecorded, running);
    await this.reconcileSnapshots(await snapshots.readStorage(), settled);
    // Only now: a creation would be given the address under which storage without a record was exported.
    for (const volume of due) engine.submit(volume, { isResumed: true });
    this.isDone = true;
    addresses.isComplete = true;
    await this.endStrayExports(recorded, found.ids, left);
    log.info(`node ${lease.node} serves ${table.size} volumes`);
    const marked = unrecorded.filter(({ labels }) => isMarked(labels));
    return [...due, ...marked].map(({ id }) => id);
  }

  /**
   * Starts exports that have ended, ends loans of addresses, and tries again what could not be served. Reads the records of these volumes
   * alone: which exports should run is known from the table.
   */
  async restoreExports(): Promise<void> {
    const { engine, table, addresses, adoption, abandoned, backends, problems } = this.options;
    await abandoned.retry();
    const running = await adoption.runningExports();
    const expected = [...table.all].filter((one) => one.isExported && this.isExporting(one.backend));
    const ended = expected.filter(({ id }) => !running.has(id));
    this.exports = exportCounts(backends.served, expected, ended);
    const retried = problems.volumes.filter((id) => !abandoned.has(id));
    const lent = [...table.all].filter(
      (one) => one.isLentInVain && !running.has(one.id) && this.isExporting(one.backend),
    );
    const ids = new Set([...[...ended, ...lent].map(({ id }) => id), ...retried, ...table.taken]);
    const unrecorded = new Set<string>();
    // Labels may be why such a volume was not served; storage may have grown before the volume was taken over.
    const stored = retried.length > 0 || table.taken.size > 0 ? await adoption.readStorage() : undefined;
    await eachVolume(ids, async (id) => {
      if (engine.isBusy(id)) return;
      const isRecorded = await engine.exclusively(id, () => this.restore(id, running.get(id), stored));
      if (!isRecorded) unrecorded.add(id);
    });
    await this.followMoved();
    await this.reconcileTaken();
    await this.retryRecords(unrecorded, running);
    const left = [...running.keys()].filter((id) => table.get(id)?.isExported === false && !engine.isBusy(id));
    await eachVolume(left, (id) => this.endLeftExport(id));
    await eachVolume(problems.strayExports, (id) => this.endStrayExport(id));
    // While the network of such a target is down nobody answers, which frees no address. It is a problem already.
    const ofPool = backends.served.filter(({ target }) => target.addressing === 'aoe');
    if (ofPool.every(({ target }) => hasNetwork(target))) await addresses.pool.observe();
    problems.noteForeignAnswers(addresses.pool.answeredElsewhere);
  }

  /** A backend that failed its checks is served now: also its storage whose records Redis has lost meanwhile. */
  async adoptBackend(backend: Backend): Promise<void> {
    const { store, lease, addresses, engine, adoption, abandoned, superseded, problems } = this.options;
    const found = new FoundStorage(await storedOn(backend));
    const running = await adoption.runningExports();
    const recorded = new Set([...abandoned.ids, ...superseded.ids]);
    const settled: VolumeState[] = [];
    const records = volumesOf(store).iterate(store.keys.nodeVolumes(lease.node), ({ id, reason }) => {
      problems.noteUnreadable(id, reason);
      recorded.add(id);
    });
    await eachVolume(records, async (volume) => {
      recorded.add(volume.id);
      if (volume.backend !== backend.name) return;
      adoption.learn(volume);
      const { id } = volume;
      if (volume.task) return engine.submit(volume, { isResumed: true });
      settled.push(volume);
      await problems.during(id, () => adoption.adopt(volume, found.of(volume), running.get(id)));
    });
    const unrecorded = found.first.filter(({ id }) => !recorded.has(id) && !engine.isBusy(id));
    for (const { id, labels } of unrecorded) if (!isMarked(labels)) addresses.label(id, labels);
    await addresses.assertShelves(shelvesOf(addresses.pool.used)); // before anything is exported at an address of them
    await this.restoreRecords(unrecorded, running);
    await this.reconcileSnapshots(await snapshotsOn(backend), settled);
  }

  /** Volumes of other nodes, by their records, that may have moved here. */
  private async followMoved(): Promise<void> {
    const { engine, problems, adoption } = this.options;
    const ids = problems.foreignVolumes.filter((id) => !engine.isBusy(id));
    if (ids.length === 0) return;
    const found = await adoption.readStorage();
    await eachVolume(ids, (id) => engine.exclusively(id, () => followMoved(this.options, id, found.copies(id))));
  }

  /** Volumes that could not be served and have no record: the start, or the return of a backend, could not make it again. */
  private async retryRecords(ids: ReadonlySet<string>, running: ReadonlyMap<string, FoundExport>): Promise<void> {
    if (ids.size === 0) return;
    const { adoption, problems } = this.options;
    const found = await adoption.readStorage(); // after their records: those are the last that a deletion removes
    for (const id of ids) if (!found.has(id)) problems.clear(id);
    await this.restoreRecords(
      found.first.filter(({ id }) => ids.has(id)),
      running,
    );
  }

  /** Storage that has no record gets it again. */
  private async restoreRecords(
    unrecorded: readonly StoredVolume[],
    running: ReadonlyMap<string, FoundExport>,
  ): Promise<void> {
    const { store, adoption, engine, problems, log } = this.options;
    let restored = 0;
    const whole = unrecorded.filter(({ labels }) => !isMarked(labels));
    for (const volume of await this.stillThere(await withoutOthers(store, whole))) {
      const { id } = volume;
      const restore = async () => {
        await adoption.adoptUnrecorded(volume, running.get(id));
        restored += 1;
      };
      await problems.during(id, () => engine.exclusively(id, restore));
    }
    if (restored > 0) log.warn(`restored records of ${restored} volumes from their storage`);
  }

  /**
   * Snapshots that have no record get it again, where their volume has one; of the volumes for which nothing is under way, records that have
   * no storage are put into error.
   */
  private async reconcileSnapshots(
    stored: readonly StoredSnapshot[],
    volumes: readonly Pick<VolumeState, 'id' | 'backend'>[],
  ): Promise<void> {
    await this.restoreSnapshots(stored);
    await this.markMissingSnapshots(stored, volumes);
  }

  /**
   * Snapshots of volumes that were taken over: whether their node had compared them, since Redis lost changes for the last time, is not
   * known.
   */
  private async reconcileTaken(): Promise<void> {
    const { store, lease, engine, snapshots, table } = this.options;
    const ids = [...table.taken].filter((id) => !engine.isBusy(id));
    if (ids.length === 0) return;
    const stored = await snapshots.readStorage();
    const examined: VolumeState[] = [];
    await eachVolume(ids, (id) =>
      engine.exclusively(id, async () => {
        const { states } = await volumesOf(store).readAll([id]);
        const [volume] = states;
        if (volume?.node !== lease.node) table.taken.delete(id);
        else if (!volume.task) {
          await this.restoreSnapshots(stored.filter(({ volumeId }) => volumeId === id));
          examined.push(volume);
        }
      }),
    );
    await this.markMissingSnapshots(stored, examined);
    for (const { id } of examined) table.taken.delete(id);
  }

  private async markMissingSnapshots(
    stored: readonly StoredSnapshot[],
    volumes: readonly Pick<VolumeState, 'id' | 'backend'>[],
  ): Promise<void> {
    const { snapshots, engine, backends, log } = this.options;
    const served = new Map(backends.served.map((backend) => [backend.name, backend]));
    const backendOf = new Map(volumes.map(({ id, backend }) => [id, served.get(backend)]));
    const known = new Set(stored.map(({ id }) => id));
    const ids = volumes.map(({ id }) => id);
    let missing = 0;
    for (let first = 0; first < ids.length; first += pageSize) {
      const { states } = await snapshots.ofVolumes(ids.slice(first, first + pageSize));
      const unknown = states.filter(({ id, status }) => status === 'available' && !known.has(id));
      await eachVolume(unknown, async (snapshot) => {
        const backend = backendOf.get(snapshot.volume);
        const mark = async () => backend !== undefined && snapshots.markMissing(snapshot, backend);
        if (await engine.exclusively(snapshot.volume, mark)) missing += 1;
      });
    }
    if (missing > 0) log.warn(`${missing} snapshots have a record but no storage: their records are in error`);
  }

  private async restoreSnapshots(stored: readonly StoredSnapshot[]): Promise<void> {
    const { snapshots, log } = this.options;
    const lost = await this.withoutRecord(stored.filter((one) => snapshots.isWhole(one)));
    if (lost.length === 0) return;
    // Without those whose deletion ended since: their records went only after their storage.
    const now = new Set((await snapshots.readStorage()).map(({ id }) => id));
    let restored = 0;
    await eachVolume(lost, async (one) => {
      if (now.has(one.id) && (await snapshots.restore(one))) restored += 1;
    });
    if (restored > 0) log.warn(`restored records of ${restored} snapshots from their storage`);
  }

  private async withoutRecord(found: readonly StoredSnapshot[]): Promise<StoredSnapshot[]> {
    const { store } = this.options;
    const recorded = new Set<string>();
    for (let first = 0; first < found.length; first += pageSize) {
      const page = found.slice(first, first + pageSize);
      const { states, unreadable } = await snapshotsOf(store).readAll(page.map(({ id }) => id));
      for (const { id } of [...states, ...unreadable]) recorded.add(id);
    }
    return found.filter(({ id }) => !recorded.has(id));
  }

  /** Whether exports of that backend can start: a problem of all of them is one problem, not one for each. */
  private isExporting(backendName: string): boolean {
    const backend = this.options.backends.served.find(({ name }) => name === backendName);
    return backend !== undefined && backend.target.addressing !== 'none' && hasNetwork(backend.target);
  }

  /** Returns whether the volume has a record. */
  private async restore(id: string, running: FoundExport | undefined, stored?: FoundStorage): Promise<boolean> {
    const { store, lease, backends, adoption, snapshots, problems } = this.options;
    const wasUnreadable = problems.unreadableVolumes.includes(id);
    const { states, unreadable } = await volumesOf(store).readAll([id]);
    for (const { reason } of unreadable) problems.noteUnreadable(id, reason);
    if (unreadable.length === 0) problems.clearUnreadable(id);
    // Those that Redis had lost meanwhile were left: whether they belong to the volume was not known.
    if (wasUnreadable && unreadable.length === 0) {
      await this.restoreSnapshots((await snapshots.readStorage()).filter(({ volumeId }) => volumeId === id));
    }
    const [volume] = states;
    const isOwn = volume?.node === lease.node;
    if (!volume && unreadable.length === 0) return false;
    if (volume) for (const here of stored?.copies(id) ?? []) noteMoved(this.options, here, volume);
    if (!isOwn || volume.task) problems.clear(id);
    else {
      await problems.during(id, async () => {
        const { driver } = backends.get(volume.backend);
        const isShared = driver.readLabels !== undefined; // another node may have changed the labels since this one has read them
        const found = stored && (isShared ? await storedVolume(driver, id) : stored.of(volume));
        await adoption.adopt(volume, found, running);
      });
    }
    return true;
  }

  /** Without volumes whose deletion ended since storage was read: their records went only after their storage. */
  private async stillThere<T extends FoundVolume>(volumes: readonly T[]): Promise<readonly T[]> {
    if (volumes.length === 0) return [];
    const now = await this.options.adoption.readStorage();
    return volumes.filter(({ id }) => now.has(id));
  }

  /**
   * Ends exports of ours whose volume is not to be exported, or has neither record nor storage, and clears files of exports that a power
   * loss brought back. Left as they are: storage whose record is unreadable or another node's, volumes of a backend that is not served,
   * which may be all without a record, and those in `left`.
   */
  private async endStrayExports(
    recorded: ReadonlyMap<string, string>,
    stored: ReadonlySet<string>,
    left: ReadonlySet<string>,
  ): Promise<void> {
    const { backends, engine, table, problems, log } = this.options;
    const unreadable = new Set(problems.unreadableVolumes);
    const served = new Set(backends.served.map(({ name }) => name));
    const isLeft = (id: string) => {
      const backend = recorded.get(id);
      const isOthers = backend === undefined ? stored.has(id) || !backends.areAllServed : !served.has(backend);
      return left.has(id) || engine.isBusy(id) || unreadable.has(id) || table.get(id)?.isExported || isOthers;
    };
    for (const { target } of backends.served) {
      const running = (await target.listExports()).flatMap(({ id }) => id ?? []);
      for (const id of new Set([...running, ...(await target.listTraces())])) {
        if (isLeft(id)) continue;
        await this.endStrayExport(id);
        const reason = recorded.has(id) ? 'is not attached' : 'has neither record nor storage';
        const hasEnded = running.includes(id) && !problems.strayExports.includes(id);
        if (hasEnded) log.warn(`ended the export of volume ${id}: the volume ${reason}`);
      }
    }
  }

  /**
   * An attach or a deletion failed, and so did the end of the export that should have followed. The export of an available or reserved volume
   * is left: it shows an attachment that Redis has lost.
   */
  private async endLeftExport(id: string): Promise<void> {
    const { store, exportUnattached } = this.options;
    const { states } = await volumesOf(store).readAll([id]);
    const [volume] = states;
    const hasFailed = volume?.status === 'error_attaching' || volume?.status === 'error_deleting';
    if (hasFailed && !volume.task && !isExported(volume, exportUnattached)) await this.endStrayExport(id);
  }

  /** One that cannot be ended, as its storage hangs, is tried again with each report. */
  private async endStrayExport(id: string): Promise<void> {
    const { backends, engine, table, problems } = this.options;
    await problems.ending(id, () =>
      engine.exclusively(id, async () => {
        if (table.get(id)?.isExported) return; // attached meanwhile
        for (const { target } of backends.served) await target.removeExport(id);
      }),
    );
  }
}

/** Whether a target has no problem of all its exports. */
function hasNetwork(target: Target): boolean {
  return target.problems().every(({ id }) => id !== undefined);
}

function shelvesOf(addresses: readonly string[]): Set<number> {
  return new Set(addresses.filter((address) => tryParseAddress(address)).map(shelfOf));
}
