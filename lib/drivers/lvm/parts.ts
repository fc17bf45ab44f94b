import type { Processes } from '../../process.ts';
import type { Changes } from './changes.ts';
import type { GroupOptions, OpenGroup } from './missing-disks.ts';
import type { ThinPools } from './thin-pools.ts';
import type { VolumeClear } from './wipe.ts';

export type LvmType = 'thick' | 'thin';

export interface LvmOptions extends GroupOptions {
  volumeClear: VolumeClear;
  volumeClearMiBps: number;
  /** Size of a thick snapshot in percent of its volume. */
  snapshotPercent: number;
  /** What new volumes are; those that exist stay what they are. */
  lvmType: LvmType;
  /** Name of the thin pool; '': one of our own. */
  thinPool: string;
  /** How many times the size of the thin pool volumes and snapshots may have in all. */
  maxOverSubscription: number;
  /** Attempts of reads and other cheap commands. The engine retries creates and deletes. */
  numShellTries: number;
}

/** What the parts of the driver share. */
export interface Parts {
  readonly options: LvmOptions;
  readonly processes: Processes;
  readonly openGroup: OpenGroup;
  readonly changes: Changes;
  readonly pools: ThinPools;
  /** Of the configuration, for messages. */
  readonly backend: string | undefined;
  /** Retries what costs little and whose callers do not retry. */
  retried<T>(work: () => Promise<T>): Promise<T>;
}
