import type { FoundSnapshot } from '../../lib/drivers/snapshots.ts';
import { type Fault, errors } from '../../lib/errors.ts';
import { isId } from '../../lib/models/id.ts';
import type { Page } from '../../lib/models/records.ts';
import type { SnapshotState, SnapshotStatus } from '../../lib/models/snapshot-state.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Backend, Backends } from './backends.ts';
import type { NodeLease } from './lease.ts';
import { fieldsIn } from './specs.ts';

/** A snapshot on the storage of a served backend. */
export type StoredSnapshot = FoundSnapshot & { backend: Backend };

/** The records of snapshots on the storage of this node, made again and corrected from what is there. */
export class SnapshotRecords {
  private readonly options: { store: Store; lease: NodeLease; backends: Backends };

  constructor(options: { store: Store; lease: NodeLease; backends: Backends }) {
    this.options = options;
  }

  /** Every snapshot on the storage of the served backends. */
  async readStorage(): Promise<StoredSnapshot[]> {
    return (await Promise.all(this.options.backends.served.map(snapshotsOn))).flat();
  }

  /** Whether its labels say whose it is. */
  isWhole({ id, volumeId, labels }: FoundSnapshot): boolean {
    return isId(id) && isId(volumeId) && fieldsIn(labels)?.createTime !== undefined;
  }

  /**
   * Makes the record of a snapshot again, which Redis has lost. Returns false where it has one by now, or its volume has none here that can be
   * read, or is being deleted. Throws Fenced.
   */
  async restore(found: StoredSnapshot): Promise<boolean> {
    const { store, lease } = this.options;
    const { id, volumeId } = found;
    const [volume] = (await volumesOf(store).readAll([volumeId])).states;
    if (!volume || volume.status === 'deleting') return false;
    const { snapshots } = found.backend.driver;
    const labels = snapshots?.readLabels ? ((await snapshots.readLabels(found)) ?? {}) : found.labels;
    if (!this.isWhole({ ...found, labels })) return false;
    const { address: _, createTime = '', ...fields } = fieldsIn(labels) ?? { address: '' };
    const outcome = await commit(store, {
      owner: lease.token,
      edits: [
        { kind: 'snapshot', id, insert: true, set: { ...fields, volume: volumeId, createTime, status: 'available' } },
        // One whose volume is gone belongs to nobody.
        { kind: 'volume', id: volumeId, expect: { node: lease.node, status: volume.status } },
      ],
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    return outcome.word === 'ok';
  }

  /** The records of the snapshots of these volumes, in two round trips. */
  async ofVolumes(volumes: readonly string[]): Promise<Page<SnapshotState>> {
    const { store } = this.options;
    const ids = await store.read((redis) =>
      Promise.all(volumes.map((volume) => redis.zrange(store.keys.volumeSnapshots(volume), '0', '-1'))),
    );
    return snapshotsOf(store).readAll(ids.flat());
  }

  /**
   * Puts the record of a snapshot that has no storage into error: an older state of Redis has it again, or an administrator removed it. To be
   * called while no operation runs on its volume. Returns whether it was so. Throws Fenced.
   */
  async markMissing({ id }: SnapshotState, { driver }: Backend): Promise<boolean> {
    const [snapshot] = (await snapshotsOf(this.options.store).readAll([id])).states;
    if (snapshot?.status !== 'available') return false;
    const isThere = (await driver.snapshots?.listSnapshots())?.some((one) => one.id === id) ?? true;
    if (!isThere) await this.mark(snapshot, 'error', errors.snapshotMissing(id, 'it').toFault());
    return !isThere;
  }

  /** Throws Fenced, WrongStatus where it has changed meanwhile. */
  async mark({ id, status }: SnapshotState, becomes: SnapshotStatus, fault: Fault): Promise<void> {
    await this.correct(id, { status }, { status: becomes, fault: JSON.stringify(fault) });
  }

  /** `expect`: values that its record has still. Throws Fenced, WrongStatus where it has changed meanwhile. */
  async correct(
    id: string,
    expect: Readonly<Record<string, string>>,
    set: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { store, lease } = this.options;
    const outcome = await commit(store, { owner: lease.token, edits: [{ kind: 'snapshot', id, expect, set }] });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word !== 'ok') throw errors.wrongStatus(id, 'being changed', 'no other change at the same time');
  }
}

/** Every snapshot on the storage of a backend. */
export async function snapshotsOn(backend: Backend): Promise<StoredSnapshot[]> {
  const found = (await backend.driver.snapshots?.listSnapshots()) ?? [];
  return found.map((snapshot) => Object.assign({ backend }, snapshot));
}
