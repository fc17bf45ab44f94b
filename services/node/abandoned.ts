import { errors } from '../../lib/errors.ts';
import { taskKey, writeTask } from '../../lib/models/task.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { abandonedVolumesOf } from '../../lib/models/volume.ts';
import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Addresses } from './addresses.ts';
import type { Backends } from './backends.ts';
import { eachVolume } from './each-volume.ts';
import type { Engine } from './engine/engine.ts';
import { deleteSnapshots } from './engine/snapshot-steps.ts';
import type { NodeLease } from './lease.ts';
import type { Problems } from './problems.ts';
import { sharedIdentity } from './shared-storage.ts';
import { volumeSpec } from './specs.ts';

export interface AbandonedOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  addresses: Addresses;
  engine: Engine;
  problems: Problems;
}

/** The volumes that were deleted while this node was lost are its own again, to be deleted. */
export class AbandonedVolumes {
  private readonly options: AbandonedOptions;
  /** Why records of such volumes cannot be read. */
  private unreadable: ReadonlyMap<string, string> = new Map();
  /** Volumes whose ids are of volumes of other nodes meanwhile. */
  private readonly replaced = new Map<string, VolumeState>();

  constructor(options: AbandonedOptions) {
    this.options = options;
  }

  /** Whether the storage of the volume is to be deleted and has no record of this node for that: nothing else is done with it. */
  has(id: string): boolean {
    return this.unreadable.has(id) || this.replaced.has(id);
  }

  get ids(): readonly string[] {
    return [...this.unreadable.keys(), ...this.replaced.keys()];
  }

  /**
   * Each one gets its record back, with the task of its deletion; `isLeft`: those that stay as they are. Throws Fenced.
   */
  async restore(isLeft: (id: string) => boolean = () => false): Promise<void> {
    const { store, lease, problems } = this.options;
    const unreadable = new Map<string, string>();
    const records = abandonedVolumesOf(store).iterate(store.keys.nodeAbandoned(lease.node), ({ id, reason }) => {
      unreadable.set(id, reason);
    });
    this.replaced.clear();
    await eachVolume(records, async (volume) => {
      if (!isLeft(volume.id)) await this.restoreOne(volume);
    });
    this.unreadable = unreadable;
    problems.noteUnreadableDeletions(unreadable);
  }

  /** With each report: what could not be done before. Storage is removed in the background, as a wipe takes long. */
  async retry(): Promise<void> {
    if (this.ids.length === 0 && !(await this.areNoted())) return;
    // A deletion that another node took over is noted until nothing is done here for it.
    await this.restore((id) => this.options.engine.isBusy(id));
    for (const volume of this.replaced.values()) {
      // A lost lease or Redis ends the daemon or the connection: the next report tries again.
      if (!this.options.engine.isBusy(volume.id)) this.remove(volume).catch(() => undefined);
    }
  }

  /** Whether another node may have taken deletions over while this one was away, without its having been restarted. */
  private async areNoted(): Promise<boolean> {
    const { store, lease, backends } = this.options;
    if (backends.served.every((backend) => sharedIdentity(backend) === '')) return false;
    return (await store.read((redis) => redis.zcard(store.keys.nodeAbandoned(lease.node)))) > 0;
  }

  private async restoreOne(volume: VolumeState): Promise<void> {
    const { store, lease } = this.options;
    const { id } = volume;
    await this.endExport(volume);
    const record = await store.read((redis) => redis.hgetall(store.keys.abandoned(id)));
    const task = writeTask({ kind: 'delete', key: taskKey() });
    const set = { ...record, status: 'deleting', attachStatus: 'detached', task };
    const outcome = await commit(store, {
      owner: lease.token,
      frees: true,
      edits: [
        { kind: 'abandoned', id, remove: true },
        { kind: 'volume', id, insert: true, set },
      ],
    });
    if (outcome.word !== 'exists') return;
    const { node, createTime } = outcome.record;
    // Adopted meanwhile, perhaps on another node to which its disk was moved: its record decides.
    const isAdopted = node === lease.node || createTime === String(volume.createTime);
    if (isAdopted) await this.removeRecord(volume);
    else this.replaced.set(id, volume);
  }

  /**
   * Before anything that can fail: its hosts were detached with the loss of this node. Until the record is back nobody else can have the
   * id here.
   */
  private async endExport({ id, backend }: VolumeState): Promise<void> {
    const { store, backends, engine, problems } = this.options;
    const target = backends.served.find(({ name }) => name === backend)?.target;
    if (!target || (await store.read((redis) => redis.exists(store.keys.volume(id)))) === 1) return;
    await problems.ending(id, () => engine.exclusively(id, () => target.removeExport(id)));
  }

  /** Another node has a volume with its id: the storage here is removed without a record. */
  private async remove(volume: VolumeState): Promise<void> {
    const { store, lease, backends, addresses, engine, problems } = this.options;
    const { id } = volume;
    const remove = async (signal: AbortSignal) => {
      const backend = backends.get(volume.backend);
      const { driver, target } = backend;
      const expected: Edit = { kind: 'abandoned', id, expect: { node: lease.node } };
      const outcome = await commit(store, { owner: lease.token, frees: true, edits: [expected] });
      if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
      if (outcome.word !== 'ok') return; // the next report finds out
      const spec = volumeSpec(volume);
      const found = (await driver.listVolumes()).find((one) => one.id === id);
      const { created } = spec.labels;
      // Storage of a later volume may have come here with a disk.
      if (found && (found.labels['created'] ?? created) === created) {
        await target.removeExport(id);
        if (volume.deletesSnapshots) await deleteSnapshots(backend, volume, { signal });
        await driver.deleteVolume(spec, { signal });
        addresses.pool.release(id);
      }
      await this.removeRecord(volume);
    };
    await problems.during(id, () => engine.atLength(id, remove));
  }

  private async removeRecord({ id, address, lender }: VolumeState): Promise<void> {
    const { store, lease } = this.options;
    const edits: Edit[] = [{ kind: 'abandoned', id, remove: true, rest: lender === '' ? '' : address }];
    const outcome = await commit(store, { owner: lease.token, frees: true, edits });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    this.replaced.delete(id);
  }
}
