import type { VolumeState, VolumeStatus } from '../../lib/models/volume-state.ts';

export interface OwnVolume {
  id: string;
  backend: string;
  address: string;
  status: VolumeStatus;
  /** Whether its export should run. */
  isExported: boolean;
  /** Whether another node lends it an address that no host uses any more. */
  isLentInVain: boolean;
}

/** The volumes of this node as their records were last seen: what periodic work reads in place of the records. */
export class VolumeTable {
  private readonly volumes = new Map<string, OwnVolume>();
  private readonly counts = new Map<VolumeStatus, number>();
  /** Volumes taken over from nodes that are gone, which are to be examined once their tasks have ended. */
  readonly taken = new Set<string>();
  private readonly exportUnattached: boolean;

  constructor({ exportUnattached }: { exportUnattached: boolean }) {
    this.exportUnattached = exportUnattached;
  }

  note({ id, backend, address, lender, status, attachStatus }: VolumeState): void {
    const isAttached = attachStatus === 'attached' || attachStatus === 'attaching';
    const isHealthy =
      status !== 'error' &&
      status !== 'error_deleting' &&
      status !== 'creating' &&
      status !== 'deleting' &&
      (status !== 'migrating' || isAttached) &&
      status !== 'restoring' &&
      status !== 'error_restoring';
    const isExported = isHealthy && (this.exportUnattached || isAttached);
    const isLentInVain = lender !== '' && attachStatus === 'detached';
    this.count(id, -1);
    this.volumes.set(id, { id, backend, address, status, isExported, isLentInVain });
    this.count(id, 1);
  }

  drop(id: string): void {
    this.count(id, -1);
    this.volumes.delete(id);
    this.taken.delete(id);
  }

  get(id: string): OwnVolume | undefined {
    return this.volumes.get(id);
  }

  get all(): IterableIterator<OwnVolume> {
    return this.volumes.values();
  }

  get size(): number {
    return this.volumes.size;
  }

  /** Volumes by status. */
  get statuses(): ReadonlyMap<VolumeStatus, number> {
    return this.counts;
  }

  private count(id: string, difference: 1 | -1): void {
    const status = this.volumes.get(id)?.status;
    if (status !== undefined) this.counts.set(status, (this.counts.get(status) ?? 0) + difference);
  }
}
