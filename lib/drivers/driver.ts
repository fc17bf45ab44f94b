import type { Log } from '../log.ts';
import type { Processes } from '../process.ts';

/** What a driver is told about a volume. Plain data: drivers know neither Redis nor targets. */
export interface VolumeSpec {
  /** UUID. What the driver makes is named after it. */
  id: string;
  /** GiB, 0 to 1000; 0 is a volume of 100 MiB. */
  size: number;
  sizeBytes: number;
  userId: string;
  projectId: string;
  /** The export's address, kept beside the data (LVM tags) so that records can be rebuilt from storage alone. */
  shelfId?: number;
  bladeId?: number;
}

export interface CreatedVolume {
  /** What the driver wants kept in the volume's record. */
  fields: Record<string, string>;
  /** False where it was there already: then somebody may have data on it. */
  isNew: boolean;
}

/** A volume found on storage, with what its own labels say. */
export interface FoundVolume {
  id: string;
  sizeBytes: number;
  /** Absent where the storage keeps no label of it. */
  size?: number;
  userId?: string;
  projectId?: string;
  shelfId?: number;
  bladeId?: number;
}

export interface DriverStats {
  totalBytes: number;
  freeBytes: number;
}

export interface DeleteOptions {
  /** Nobody ever had it: there is nothing to wipe. */
  unused?: boolean;
  signal?: AbortSignal;
  /** Called with 0 to 100 while old data is wiped, at most a few times a second. */
  progress?: (percent: number) => void;
}

/**
 * Makes and removes the storage of volumes. Every verb says "make it so": it may be called again after a crash at any
 * point of an earlier call, and then ends in the same state (create: what is there is kept; delete: absent is success).
 */
export interface VolumeDriver {
  readonly name: string;
  /** Checks the prerequisites, makes what may be made. Throws the error that an operator must see. Idempotent. */
  setup(): Promise<void>;
  /** Throws NoSpace. */
  createVolume(volume: VolumeSpec, signal?: AbortSignal): Promise<CreatedVolume>;
  /** Whether all that createVolume makes is there. */
  hasVolume(volume: VolumeSpec): Promise<boolean>;
  /** Makes a volume usable that is there but not active (after a reboot). Throws StorageMissing. */
  ensureVolume(volume: VolumeSpec): Promise<void>;
  /** Wipes the data as configured, then removes the volume. Throws VolumeBusy. */
  deleteVolume(volume: VolumeSpec, options?: DeleteOptions): Promise<void>;
  /** The block device or file that a target exports. */
  localPath(volume: VolumeSpec): string;
  /** Every volume of ours on this storage. */
  listVolumes(): Promise<FoundVolume[]>;
  stats(): Promise<DriverStats>;
  /** Ends helper processes; touches no volume. May be called twice. */
  close(): Promise<void>;
}

export interface DriverContext {
  processes: Processes;
  log: Log;
}

/** Bytes of a volume of `size` GiB; 0 stands for 100 MiB, as in the 2010 BlockStore. */
export function sizeInBytes(size: number): number {
  return size === 0 ? 100 * 2 ** 20 : size * 2 ** 30;
}
