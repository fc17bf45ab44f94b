import { Semaphore } from '../../lib/concurrency.ts';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import { BlockstoreError, asError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Node } from '../../lib/models/node.ts';
import { Volume } from '../../lib/models/volume.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type Backend, exportSpec, fieldsIn, volumeSpec } from './backend.ts';
import type { Numbers } from './numbers.ts';
import type { Engine } from './operations/engine.ts';
import { dueOperation } from './operations/operations.ts';

export interface AdoptionOptions {
  store: Store;
  node: Node;
  backend: Backend;
  engine: Engine;
  numbers: Numbers;
  log: Log;
  shelves: { first: number; last: number; slots: number };
  availabilityZone: string;
}

const sideBySide = 16;
/** Why a volume is in error although it may be there again. */
export const awayCodes: ReadonlySet<string> = new Set(['StorageMissing', 'StorageKept', 'NodeLost']);
/** Troubles of storage that has no record of this node. */
const unrecordedCodes = new Set(['UnknownStorage', 'ForeignStorage']);

/** Makes records and storage of this node agree: at start wholly, on every report for exports that died. */
export class Adoption {
  private readonly options: AdoptionOptions;
  /** What keeps volumes from being served, by their ids. */
  private readonly unserved = new Map<string, BlockstoreError>();
  /** Operations to be taken up. */
  private readonly due: (() => void)[] = [];
  /** Whether every volume that is on storage has its record and its number. */
  isDone = false;

  constructor(options: AdoptionOptions) {
    this.options = options;
  }

  /**
   * Storage is looked at; then every record is compared with it. What cannot be mended is told, one line each, and does
   * not keep the rest from being served.
   */
  async adoptAll(): Promise<void> {
    const { store, node, backend, numbers, log } = this.options;
    const found = new Map((await backend.driver.listVolumes()).map((volume) => [volume.id, volume]));
    await numbers.atStart([...found.values()]);
    const told = async (work: Promise<void>, id: string) => {
      try {
        await work;
      } catch (thrown) {
        const error = asError(thrown);
        if (isForAll(error)) throw error;
        this.tell(id, error);
      }
    };
    const recorded = new Set<string>();
    await this.each(async (volume) => {
      recorded.add(volume.id);
      await told(this.adopt(volume, found.get(volume.id)), volume.id);
    });
    const unrecorded = [...found.values()].filter(({ id }) => !recorded.has(id));
    for (const volume of await this.stillThere(unrecorded)) await told(this.adoptUnrecorded(volume), volume.id);
    // Only now: a creation would take the number under which storage without a record is still exported.
    for (const takeUp of this.due.splice(0)) takeUp();
    this.isDone = true;
    await this.endOrphanedExports(new Set([...recorded, ...found.keys()]));
    const count = await Volume.records(store).count({ type: 'node', id: node.identifier });
    log.info(`node ${node.identifier} serves ${count} volumes`);
  }

  /** What could not be mended, one line each. */
  get problems(): string[] {
    return [...this.unserved.values()].map((error) => error.message);
  }

  /**
   * Exports that died are started again, one volume's turn at a time, and volumes that are in error since their node was lost are
   * looked at. What cannot be served is told once.
   */
  async revive(): Promise<void> {
    const { backend, engine } = this.options;
    if (backend.target.problems().some(({ id }) => id === undefined)) return; // no export can start: one problem, not one for each
    const isExporting = backend.target.name !== 'none';
    const running = new Set((await backend.target.listExports()).map((found) => found.id));
    const recorded = new Set<string>();
    await this.each(async (volume) => {
      if (this.unserved.has(volume.id)) recorded.add(volume.id);
      const isRunning = isExporting ? running.has(volume.id) : !this.unserved.has(volume.id);
      if (isRunning && !isLost(volume)) this.unserved.delete(volume.id);
      else if ((isServed(volume) || isLost(volume)) && !engine.isBusy(volume.id))
        await engine.inTurn(volume.id, () => this.reviveOne(volume.id));
    });
    for (const [id, { code }] of this.unserved) {
      if (!recorded.has(id) && !unrecordedCodes.has(code)) this.unserved.delete(id); // deleted since
    }
  }

  private async reviveOne(id: string): Promise<void> {
    const volume = await Volume.records(this.options.store).find(id);
    if (!volume || !(isServed(volume) || isLost(volume))) return;
    try {
      await (isLost(volume) ? this.adopt(volume, undefined) : this.serve(volume));
      this.unserved.delete(id);
    } catch (thrown) {
      const error = asError(thrown);
      if (isForAll(error)) throw error;
      if (this.unserved.get(id)?.message !== error.message) this.tell(id, error);
      if (isServed(volume) && error.code === 'StorageMissing') await this.change(volume, 'lose', error);
    }
  }

  private async adopt(volume: VolumeState, found: FoundVolume | undefined): Promise<void> {
    const { backend, engine } = this.options;
    if (isTransitional(volume)) {
      const operation = dueOperation(volume);
      if (operation && volume.attachStatus !== 'attaching')
        return void this.due.push(() => engine.redrive(volume, operation));
    }
    if (volume.status === 'error' && !awayCodes.has(volume.fault?.code ?? '')) return;
    if (volume.status === 'error_deleting') return;
    if (!found && !(await backend.driver.hasVolume(volumeSpec(volume)))) throw await this.lose(volume);
    if (volume.status === 'error') await this.findAgain(volume);
    await this.serve(volume);
    const operation = dueOperation(volume);
    if (operation) this.due.push(() => engine.redrive(volume, operation));
  }

  /** Its storage is gone: its record says so. */
  async lose(volume: VolumeState): Promise<BlockstoreError> {
    const { backend } = this.options;
    const error = errors.storageMissing(volume.id, backend.driver.localPath(volumeSpec(volume)));
    if (volume.fault?.code !== error.code) await this.change(volume, 'lose', error);
    return error;
  }

  /** Its storage is there again. */
  async findAgain(volume: VolumeState): Promise<void> {
    await this.change(volume, volume.attachStatus === 'attached' ? 'findAgainAttached' : 'findAgain');
  }

  /** Without volumes whose deletion ended since storage was looked at: their records went only after their storage. */
  private async stillThere(volumes: readonly FoundVolume[]): Promise<readonly FoundVolume[]> {
    if (volumes.length === 0) return [];
    const now = new Set((await this.options.backend.driver.listVolumes()).map(({ id }) => id));
    return volumes.filter(({ id }) => now.has(id));
  }

  /** Storage gets its record again. Throws UnknownStorage, ForeignStorage, NoMoreVolumes. */
  async adoptUnrecorded(found: FoundVolume): Promise<void> {
    const { store, node, backend, shelves, numbers, log, availabilityZone } = this.options;
    const { id } = found;
    const { size, userId, projectId, shelfId, bladeId } = fieldsIn(found.labels);
    if (size === undefined || userId === undefined || projectId === undefined) {
      throw new BlockstoreError(
        'UnknownStorage',
        'failed',
        `the storage volume-${id} has no record, and its labels do not say whose it is`,
        'look at it, then remove it by hand if nobody misses it',
      );
    }
    const fields = { size: String(size), userId, projectId, availabilityZone, backend: backend.name };
    const place = shelfId === undefined || bladeId === undefined ? {} : { shelf: shelfId, slot: bladeId };
    const request = JSON.stringify({ fields, ...place, ...shelves });
    await numbers.known();
    const answer = await store.run('adopt', node.identifier, node.owner.fence, id, request);
    const [word, owner = '', status = ''] = answer;
    if (word === 'Fenced') throw errors.fenced(node.identifier);
    if (word === 'NoMoreVolumes') throw errors.noMoreVolumes(`node ${node.identifier}`);
    if (word === 'VolumeExists') {
      throw new BlockstoreError(
        'ForeignStorage',
        'conflict',
        `the storage volume-${id} is here, but its record (${status}) is of node ${owner || 'nobody yet'}`,
        `it may be the only copy: keep it. If this machine was node ${owner} before, set storage_name = ${owner} and restart`,
      );
    }
    log.warn(`volume ${id} had storage but no record; it has one again`, { size, projectId });
    const { state } = await Volume.lookup(store, id);
    if (shelfId !== state.shelfId || bladeId !== state.bladeId) await backend.driver.createVolume(volumeSpec(state)); // its labels
    await this.serve(state);
  }

  /** An export of ours whose volume has neither record nor storage serves nobody. */
  private async endOrphanedExports(known: ReadonlySet<string>): Promise<void> {
    const { backend, log } = this.options;
    for (const { id, path } of await backend.target.listExports()) {
      if (id === undefined || known.has(id)) continue;
      log.warn(`the export of volume ${id} has neither record nor storage; it is ended`, { path });
      await backend.target.removeExport(id);
    }
    for (const id of await backend.target.listTraces()) {
      if (!known.has(id)) await backend.target.removeExport(id);
    }
  }

  /** Throws StorageMissing, and what a target throws. */
  async serve(volume: VolumeState): Promise<void> {
    const { backend, numbers } = this.options;
    await numbers.whileAtWork(volume, async () => {
      await backend.driver.ensureVolume(volumeSpec(volume));
      await backend.target.ensureExport(exportSpec(volume, backend));
    });
  }

  private tell(id: string, error: BlockstoreError): void {
    const { message, hint } = error;
    this.unserved.set(id, error);
    this.options.log.error(`volume ${id} cannot be served: ${message}`, hint === undefined ? {} : { hint });
  }

  private async change(volume: VolumeState, name: 'lose' | 'findAgain' | 'findAgainAttached', error?: BlockstoreError) {
    const { store, node } = this.options;
    await Volume.of(store, volume).change(name, { owner: node.owner, ...(error ? { fault: error.toFault() } : {}) });
  }

  /** Throws the first failure, when all that was begun has ended. */
  private async each(work: (volume: VolumeState) => Promise<void>): Promise<void> {
    const { store, node } = this.options;
    const semaphore = new Semaphore(sideBySide);
    const running = new Set<Promise<void>>();
    const failures: BlockstoreError[] = [];
    try {
      for await (const volume of Volume.records(store).associatedTo('node', node.identifier)) {
        const one = semaphore
          .run(() => work(volume))
          .catch((error: unknown) => void failures.push(asError(error)))
          .finally(() => running.delete(one));
        running.add(one);
        if (semaphore.freeSlots === 0) await Promise.race(running);
        if (failures.length > 0) break;
      }
    } finally {
      await Promise.all(running);
    }
    const [failure] = failures;
    if (failure) throw failure;
  }
}

/** Not one volume's trouble. */
function isForAll(error: BlockstoreError): boolean {
  return error.code === 'Fenced' || error.code === 'RedisUnreachable';
}

/** Whether its storage is there and its export should be. */
function isServed(volume: VolumeState): boolean {
  return volume.status !== 'error' && volume.status !== 'error_deleting' && !isTransitional(volume);
}

/** In error with its node, which is back: an operation was under way on it when all others were looked at. */
function isLost(volume: VolumeState): boolean {
  return volume.status === 'error' && volume.fault?.code === 'NodeLost' && !isTransitional(volume);
}
