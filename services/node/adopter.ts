import type { FoundVolume, Labels } from '../../lib/drivers/driver.ts';
import { type BlockstoreError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { TransitionName } from '../../lib/models/transitions.ts';
import { type EditOptions, editOf, isAllowed, endedWith, withoutEmpty } from '../../lib/models/volume-edit.ts';
import { storedAddress } from '../../lib/models/stored-address.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { nodeOfAbandoned, volumesOf } from '../../lib/models/volume.ts';
import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { FoundExport } from '../../lib/targets/target.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { Addresses } from './addresses.ts';
import type { Backends } from './backends.ts';
import type { FormerStorage } from './former.ts';
import { FoundStorage, type StoredVolume, storedOn, storedVolume } from './found-storage.ts';
import { leaveAgain } from './leave-again.ts';
import type { NodeLease } from './lease.ts';
import { withSizeOf } from './recorded-size.ts';
import { restoredAttachments, surplusHosts, unknownAttachment } from './restored-attachments.ts';
import { sharedIdentity } from './shared-storage.ts';
import {
  copyLabel,
  exportSpec,
  filling,
  fieldsIn,
  isExported,
  isIncompleteCopy,
  isMarkedMissing,
  lenderLabel,
  movedLabel,
  restoredLabel,
  unfinishedIn,
  unfinishedSource,
  volumeSpec,
} from './specs.ts';
import type { VolumeTable } from './volume-table.ts';

export interface AdoptionOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  addresses: Addresses;
  table: VolumeTable;
  log: Log;
  exportUnattached: boolean;
  availabilityZone: string;
  /** The beginning of the names of topics. */
  topic: string;
  former: FormerStorage;
}

/** Faults of volumes in error whose storage may exist again. */
export const recoverableFaults: ReadonlySet<string> = new Set([
  'StorageMissing',
  'StorageKept',
  'NodeLost',
  'ArrivalFailed',
]);

/** Takes over single volumes: compares the record with storage and export, corrects what differs, and serves the volume. */
export class Adopter {
  private readonly options: AdoptionOptions;

  constructor(options: AdoptionOptions) {
    this.options = options;
  }

  /**
   * Serves a volume without a task. `found`: its storage, where that was just read; `running`: its export. Throws StorageMissing,
   * StorageOffline, BackendUnavailable, AddressInUse, and what a target throws.
   */
  async adopt(volume: VolumeState, found: FoundVolume | undefined, running?: FoundExport): Promise<void> {
    const { backends, exportUnattached } = this.options;
    if (volume.status === 'error' && !recoverableFaults.has(volume.fault?.code ?? '')) return;
    if (volume.status === 'error_deleting') return;
    const { driver, target } = backends.get(volume.backend);
    const { labels = {} } =
      found ?? (volume.status === 'error' ? await storedVolume(driver, volume.id) : undefined) ?? {};
    if (labels[movedLabel] !== undefined) {
      return leaveAgain(this.options, volume, labels, (fault) => this.change(volume, 'markMissing', { fault }));
    }
    if (await this.resumeUnfinished(volume, labels)) return;
    if (isIncompleteCopy(volume, labels)) throw await this.markMissing(volume);
    if (labels[copyLabel] !== undefined) await driver.labelVolume(volumeSpec(volume));
    if (found?.unusable !== undefined) throw errors.storageOffline(volume.id, found.unusable);
    if (!found && !(await driver.hasVolume(volumeSpec(volume)))) {
      const isThere = (await driver.listVolumes()).some(({ id }) => id === volume.id);
      if (!isThere) throw await this.markMissing(volume);
    }
    const hasReturned = volume.fault?.code === 'NodeLost';
    const hasSurplus = running !== undefined && surplusHosts(volume, running, this.options) !== undefined;
    // Hosts that were detached while the node was lost: closed before the record forgets the loss
    if (hasReturned && hasSurplus) await target.ensureExport(exportSpec(volume, backends.get(volume.backend)));
    const placed = running === undefined || hasReturned ? await this.withLoanEnded(volume) : volume;
    const whole = placed.status === 'error' ? await this.markFound(placed) : await this.withRestoreEnded(placed, found);
    const current = await withSizeOf(whole, found, driver, (set) => this.change(whole, 'resize', { set }));
    this.learn(current);
    const isLost =
      running !== undefined && !exportUnattached && !hasReturned && isAllowed('restoreAttachment', current);
    if (isLost) await this.restoreAttachment(current, running);
    else if (hasSurplus && !hasReturned) await this.restoreFurther(current, running);
    else await this.serve(current);
    if (running !== undefined && current.size !== volume.size) {
      await target.resizeExport(exportSpec(current, backends.get(volume.backend)));
    }
  }

  /**
   * Its storage does not have all of its data, and nothing gives them to it: its node was declared lost meanwhile, or Redis has lost that it
   * does. The task is there again, and goes on with the next report. Returns whether it is so. Throws StorageUnfinished while it is attached.
   */
  private async resumeUnfinished(volume: VolumeState, found: Labels): Promise<boolean> {
    if (unfinishedIn(found) === undefined || volume.status === 'error_restoring') return false;
    const labels = await this.presentLabels(volume);
    const set = unfinishedIn(labels);
    if (set === undefined) return false;
    const name = 'copying' in set ? 'resumeCreate' : 'resumeRestore';
    if (!isAllowed(name, volume)) throw errors.storageUnfinished(volume.id, unfinishedSource(labels));
    await this.change(volume, name, { set, task: { pinned: true } });
    this.options.log.info(`volume ${volume.id} gets the rest of its data`, set);
    this.learn(await volumesOf(this.options.store).lookup(volume.id));
    return true;
  }

  /**
   * Its hosts were detached without its node, which was lost: an address that another node lends it goes back there. Returns the record
   * then. Throws what a driver or target throws.
   */
  private async withLoanEnded(volume: VolumeState): Promise<VolumeState> {
    const { backends, addresses } = this.options;
    if (volume.lender === '' || isExported(volume, false)) return volume;
    const { driver, target } = backends.get(volume.backend);
    const returned = { ...volume, address: '', lender: '' };
    await target.removeExport(volume.id);
    addresses.pool.release(volume.id);
    await driver.labelVolume(volumeSpec(returned));
    await this.change(volume, 'readdress', { unset: ['address', 'lender'], rest: volume.address });
    return returned;
  }

  /** A restore that has failed according to the record alone: the storage has all of its data. Returns the record then. */
  private async withRestoreEnded(volume: VolumeState, found: FoundVolume | undefined): Promise<VolumeState> {
    if (!found || !isAllowed('endRestore', volume) || unfinishedIn(found.labels) !== undefined) return volume;
    const labels = await this.presentLabels(volume);
    if (unfinishedIn(labels) !== undefined) return volume;
    const { [restoredLabel]: restored } = labels;
    await this.change(volume, 'endRestore', restored === undefined ? {} : { set: { restoredTime: restored } });
    return volumesOf(this.options.store).lookup(volume.id);
  }

  /** Those that were read with all others may be older than the record. */
  private async presentLabels({ id, backend }: VolumeState): Promise<Labels> {
    return (await storedVolume(this.options.backends.get(backend).driver, id))?.labels ?? {};
  }

  /** Its storage is absent, or not labelled: its record says so. */
  async markMissing(volume: VolumeState): Promise<BlockstoreError> {
    const { driver } = this.options.backends.get(volume.backend);
    const spec = volumeSpec(volume);
    const whereabouts = await driver.whereabouts?.(spec);
    const error =
      whereabouts === undefined
        ? errors.storageMissing(volume.id, driver.localPath(spec), await driver.relabelCommand?.(spec))
        : errors.storageMoved(volume.id, whereabouts);
    if (!isMarkedMissing(volume)) await this.change(volume, 'markMissing', { fault: error.toFault() });
    return error;
  }

  /**
   * Its storage exists again. Returns the record then, which gets an address that only its labels have: of a create that the loss of
   * its node ended. What was detached while the node was lost is detached: an export that went on meanwhile ends first. Throws what
   * a target throws.
   */
  async markFound(volume: VolumeState): Promise<VolumeState> {
    const { backends, exportUnattached } = this.options;
    const isAttached = volume.attachStatus === 'attached';
    if (!isAttached && !exportUnattached && volume.fault?.code === 'NodeLost') {
      await backends.get(volume.backend).target.removeExport(volume.id);
    }
    const address = volume.address === '' ? await this.labelledAddress(volume.id) : volume.address;
    const set = address === volume.address ? {} : { address };
    await this.change(volume, isAttached ? 'markFoundAttached' : 'markFound', { set });
    const status = isAttached ? 'in-use' : volume.attachments.length > 0 ? 'reserved' : 'available';
    return { ...volume, status, fault: undefined, address };
  }

  /**
   * Storage gets its record again, as attached where its export runs: a host may be writing. Throws UnknownStorage, ForeignStorage.
   */
  async adoptUnrecorded(found: StoredVolume, running?: FoundExport): Promise<void> {
    const { store, lease, log, availabilityZone, addresses, exportUnattached } = this.options;
    const { id, backend } = found;
    const { driver, target } = backend;
    const labels = driver.readLabels ? ((await driver.readLabels(id)) ?? {}) : found.labels;
    const unfinished = unfinishedIn(labels);
    const isAttached = running !== undefined && !exportUnattached && unfinished === undefined;
    const fields = fieldsIn(labels);
    if (!fields) throw errors.unknownStorage(id);
    const { address: labelled, lender = '', ...rest } = fields;
    const isLent = lender !== '' && lender !== lease.node;
    const address = target.addressing === 'own' || target.addressing === 'storage' ? '' : labelled; // from a time when the backend had another target
    const isFree = address !== '' && addresses.use(id, { address, lender }) === undefined;
    // An address on a shelf that another node has meanwhile is kept only as long as hosts use it, or may: unattached volumes are exported
    const mayBeUsed = isAttached || (isLent && running?.address === address);
    const isOwn = isFree && (mayBeUsed || (!isLent && (await addresses.isOwn(address))));
    if (isFree && !isOwn) addresses.pool.release(id);
    if (!isOwn && labelled !== '') await this.unlabelAddress({ ...found, labels }, Number(rest.size));
    const recorded = isOwn ? address : (target.addressOf?.(id) ?? (await target.findAddress?.(id)) ?? '');
    const restored = isAttached
      ? await restoredAttachments(store, { id, projectId: rest.projectId, attachments: [] }, running)
      : undefined;
    const outcome = await commit(store, {
      owner: lease.token,
      conditions: [{ is: 'absent', kind: 'abandoned', id }],
      edits: [
        {
          kind: 'volume',
          id,
          insert: true,
          set: {
            ...rest,
            ...(recorded === '' ? {} : { address: storedAddress(id, recorded) }),
            ...(isOwn && isLent ? { lender } : {}),
            node: lease.node,
            backend: backend.name,
            availabilityZone,
            ...(unfinished ? filling(unfinished) : { status: isAttached ? 'in-use' : 'available' }),
            attachStatus: isAttached ? 'attached' : 'detached',
            ...restored?.set,
          },
          stamp: [
            ...(rest.createTime === undefined ? ['createTime'] : []),
            ...(unfinished && 'restoreFrom' in unfinished ? ['restoreTime'] : []),
          ],
        },
        ...(restored?.edits ?? []),
      ],
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word === 'condition') throw errors.deletedStorage(id, await nodeOfAbandoned(store, id));
    if (outcome.word === 'exists') {
      // Another node with the same storage was faster, or a comparison beside this.
      if (sharedIdentity(backend) !== '' || outcome.record['node'] === lease.node) return;
      throw errors.foreignStorage(id, outcome.record['node'] ?? '', outcome.record['status'] ?? '');
    }
    log.debug(`restored the record of volume ${id} from its storage`, rest);
    const volume = await volumesOf(store).lookup(id);
    this.learn(volume);
    // Its copy goes on with the next report.
    if (!volume.task) await this.serve(volume);
  }

  /** Before the record is there: where this fails, the next try begins here, and no label contradicts the record. */
  private async unlabelAddress({ id, backend, labels }: StoredVolume, size: number): Promise<void> {
    if (await volumesOf(this.options.store).find(id)) return;
    const { address: _, [lenderLabel]: _lender, ...others } = labels;
    await backend.driver.labelVolume({ id, size, sizeBytes: sizeInBytes(size), labels: others });
  }

  /** Storage is active, and the export runs if the volume is to be exported. Throws StorageMissing, AddressInUse, and what a target throws. */
  async serve(recorded: VolumeState): Promise<void> {
    const { backends, exportUnattached, addresses } = this.options;
    const backend = backends.get(recorded.backend);
    await backend.driver.ensureVolume(volumeSpec(recorded));
    if (!isExported(recorded, exportUnattached)) return;
    const volume = await this.withAddress(await this.restoreAddress(recorded));
    if (!volume) return;
    if (volume.lender === '' && !(await addresses.isOwn(volume.address))) {
      throw errors.shelfOfOtherNode(volume.id, volume.address, addresses.ownerOf(volume.address) ?? '');
    }
    await backend.target.ensureExport(exportSpec(volume, backend));
    const own = backend.target.addressOf?.(volume.id) ?? volume.address;
    if (own === volume.address) return;
    await this.change(volume, 'readdress', { set: { address: storedAddress(volume.id, own) } });
  }

  /**
   * Returns the record with an address of this node where a volume that is exported unattached has none since its last attachment ended.
   * Undefined at the start of the node, which does not know yet which addresses are free: then the next report does it.
   */
  private async withAddress(volume: VolumeState): Promise<VolumeState | undefined> {
    const { backends, addresses } = this.options;
    const { driver, target } = backends.get(volume.backend);
    if (volume.address !== '' || volume.attachStatus !== 'detached' || target.addressing !== 'aoe') return volume;
    if (!addresses.isComplete) return undefined;
    const current = { ...volume, address: await addresses.allocate(volume) };
    await driver.labelVolume(volumeSpec(current));
    await this.change(volume, 'readdress', { set: { address: storedAddress(volume.id, current.address) } });
    this.learn(current);
    return current;
  }

  /**
   * Returns the record with the address that hosts use where Redis has lost it: that of an export which no attachment in the record asks
   * for, or of an attached volume the one that its label has.
   */
  async withAddressInUse(volume: VolumeState, running?: FoundExport): Promise<VolumeState> {
    const { pool } = this.options.addresses;
    const { id, attachStatus } = volume;
    if (volume.address !== '' && attachStatus !== 'detached') return volume;
    const labelled = attachStatus === 'attached' ? await this.labelledAddress(id) : volume.address;
    const address = running?.address ?? labelled;
    return (pool.userOf(address) ?? id) === id ? { ...volume, address } : volume;
  }

  /** Records such an address. Returns the record then. */
  async restoreAddress(volume: VolumeState, running?: FoundExport): Promise<VolumeState> {
    const current = await this.withAddressInUse(volume, running);
    if (current.address === volume.address) return volume;
    await this.change(volume, 'readdress', { set: { address: storedAddress(volume.id, current.address) } });
    this.learn(current);
    return current;
  }

  /** Redis has lost the attachment of a volume whose export runs. */
  async restoreAttachment(volume: VolumeState, running: FoundExport): Promise<void> {
    const { address } = await this.withAddressInUse(volume, running);
    const readdressed = address === volume.address ? {} : { address: storedAddress(volume.id, address) };
    const { set, edits } = await restoredAttachments(this.options.store, volume, running);
    await this.change(volume, 'restoreAttachment', { set: { ...set, ...readdressed } }, edits);
    this.options.log.debug(`restored the attachment of volume ${volume.id}, which Redis had lost, from its export`);
    this.learn(await volumesOf(this.options.store).lookup(volume.id));
  }

  /** The same of a volume that other hosts have as well. */
  async restoreFurther(volume: VolumeState, running: FoundExport): Promise<void> {
    const hosts = surplusHosts(volume, running, this.options);
    if (!hosts) return;
    const { set, edits } = unknownAttachment(volume, { readOnly: volume.attachMode === 'ro', hosts });
    const attachHosts = hosts.length === 0 ? '' : [...volume.attachHosts, ...hosts].join(',');
    await this.change(volume, 'restoreFurther', withoutEmpty({ ...set, attachHosts }), edits);
    await this.serve(await volumesOf(this.options.store).lookup(volume.id));
  }

  /** Notes what a record says, in the tables of this node. */
  learn(volume: VolumeState): void {
    const { table, addresses } = this.options;
    table.note(volume);
    addresses.use(volume.id, volume);
  }

  /** Every volume on the storage of the served backends. */
  async readStorage(): Promise<FoundStorage> {
    return new FoundStorage((await Promise.all(this.options.backends.served.map(storedOn))).flat());
  }

  /** Exports of ours that run, by the ids of their volumes. */
  async runningExports(): Promise<ReadonlyMap<string, FoundExport>> {
    const lists = await Promise.all(this.options.backends.served.map(({ target }) => target.listExports()));
    return new Map(lists.flat().flatMap((found) => (found.id === undefined ? [] : [[found.id, found]])));
  }

  /** Returns the address that the pool has from the volume's labels, if it is one of this node; '' otherwise. */
  private async labelledAddress(id: string): Promise<string> {
    const { addresses } = this.options;
    const address = addresses.pool.addressOf(id) ?? '';
    return (await addresses.isOwn(address)) ? address : '';
  }

  private async change(
    volume: VolumeState,
    name: TransitionName,
    options: EditOptions = {},
    others: readonly Edit[] = [],
  ): Promise<void> {
    const { store, lease } = this.options;
    const outcome = await commit(store, {
      owner: lease.token,
      edits: [editOf(volume, name, options), ...endedWith(volume, name), ...others],
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word !== 'ok') throw errors.wrongStatus(volume.id, volume.status, 'no other change at the same time');
  }
}
