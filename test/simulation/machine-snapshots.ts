import type { CreatedVolume, DeleteOptions, VolumeSpec } from '../../lib/drivers/driver.ts';
import { type OpenData, localData } from '../../lib/drivers/open-data.ts';
import type { CopyOptions, FoundSnapshot, SnapshotSpec, Snapshots } from '../../lib/drivers/snapshots.ts';
import { errors } from '../../lib/errors.ts';
import type { FakeMachine } from './machine.ts';

export interface StoredSnapshot {
  snapshot: SnapshotSpec;
  /** All that a create makes is there. */
  whole: boolean;
}

/** Makes a volume after `check`, which throws where its data are not there. */
type Create = (what: string, volume: VolumeSpec, check: () => void) => Promise<CreatedVolume>;

/** The snapshots on a simulated machine; they take no space. */
export class FakeMachineSnapshots implements Snapshots {
  private readonly machine: FakeMachine;
  private readonly create: Create;

  constructor(machine: FakeMachine, create: Create) {
    this.machine = machine;
    this.create = create;
  }

  createSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const { stored, snapshots } = this.machine;
    const { id, volume } = snapshot;
    const make = () => {
      if (!stored.get(volume.id)?.whole)
        throw errors.storageMissing(volume.id, this.machine.pathOf('volume', volume.id));
      if (!snapshots.has(id)) snapshots.set(id, { snapshot, whole: false });
    };
    const complete = () => void (snapshots.has(id) && snapshots.set(id, { snapshot, whole: true }));
    return this.machine.effect('createSnapshot', [make, complete], () => {});
  }

  createSnapshots(all: readonly SnapshotSpec[]): Promise<void> {
    const { stored, snapshots } = this.machine;
    const make = () => {
      const missing = all.find(({ volume }) => !stored.get(volume.id)?.whole);
      if (missing) throw errors.storageMissing(missing.volume.id, this.machine.pathOf('volume', missing.volume.id));
      for (const snapshot of all) snapshots.set(snapshot.id, { snapshot, whole: false });
    };
    const complete = () => {
      for (const snapshot of all) if (snapshots.has(snapshot.id)) snapshots.set(snapshot.id, { snapshot, whole: true });
    };
    return this.machine.effect('createSnapshots', [make, complete], () => {});
  }

  hasSnapshot({ id }: SnapshotSpec): Promise<boolean> {
    return this.machine.effect('hasSnapshot', [], () => this.machine.snapshots.get(id)?.whole ?? false);
  }

  deleteSnapshot({ id, volume }: SnapshotSpec, { unused = false }: DeleteOptions = {}): Promise<void> {
    const { machine } = this;
    const remove = () => {
      if (machine.snapshots.has(id)) machine.world.onRemoveSnapshot(machine, id, { unused, volume: volume.id });
      machine.snapshots.delete(id);
    };
    return machine.effect('deleteSnapshot', [remove], () => {});
  }

  openSnapshot({ id }: SnapshotSpec): Promise<OpenData> {
    return this.machine.effect('openSnapshot', [], () => {
      if (!this.machine.snapshots.get(id)?.whole) throw errors.snapshotMissing(id, this.machine.pathOf('snapshot', id));
      return localData(this.machine.pathOf('snapshot', id));
    });
  }

  labelSnapshot(snapshot: SnapshotSpec): Promise<void> {
    const { snapshots } = this.machine;
    const label = () => {
      const found = snapshots.get(snapshot.id);
      if (!found) throw errors.snapshotMissing(snapshot.id, this.machine.pathOf('snapshot', snapshot.id));
      snapshots.set(snapshot.id, { ...found, snapshot });
    };
    return this.machine.effect('labelSnapshot', [label], () => {});
  }

  listSnapshots(): Promise<FoundSnapshot[]> {
    return this.machine.effect('listSnapshots', [], () =>
      [...this.machine.snapshots.values()]
        .filter(({ whole }) => whole)
        .map(({ snapshot: { id, volume, labels } }) => ({
          id,
          volumeId: volume.id,
          sizeBytes: volume.sizeBytes,
          labels,
        })),
    );
  }

  createFromSnapshot(volume: VolumeSpec, { id }: SnapshotSpec, _options?: CopyOptions): Promise<CreatedVolume> {
    return this.create('createFromSnapshot', volume, () => {
      if (!this.machine.snapshots.get(id)?.whole) throw errors.snapshotMissing(id, this.machine.pathOf('snapshot', id));
    });
  }
}
