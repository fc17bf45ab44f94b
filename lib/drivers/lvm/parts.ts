import type { Processes } from '../../process.ts';
import type { Changes } from './changes.ts';
import type { GroupOptions, OpenGroup } from './missing-disks.ts';
import type { VolumeClear } from './wipe.ts';

export interface LvmOptions extends GroupOptions {
  volumeClear: VolumeClear;
  volumeClearMiBps: number;
  /** Size of a thick snapshot in percent of its volume. */
  snapshotPercent: number;
  /** Attempts of reads and other cheap commands. The engine retries creates and deletes. */
  numShellTries: number;
}

/** What the parts of the driver share. */
export interface Parts {
  readonly options: LvmOptions;
  readonly processes: Processes;
  readonly openGroup: OpenGroup;
  readonly changes: Changes;
  /** Retries what costs little and whose callers do not retry. */
  retried<T>(work: () => Promise<T>): Promise<T>;
}
