import type { CreateOptions, CreatedVolume, DeleteOptions, Labels, VolumeSpec } from './driver.ts';
import type { OpenData, OpenOptions } from './open-data.ts';

/** The snapshot that a driver acts on. Plain data. */
export interface SnapshotSpec {
  /** UUID, part of the name of the snapshot's storage. */
  id: string;
  /** What it is of, with the size that the volume had then. */
  volume: VolumeSpec;
  labels: Labels;
}

/** A snapshot found on storage. */
export interface FoundSnapshot {
  id: string;
  volumeId: string;
  sizeBytes: number;
  /** Empty when the storage has none. */
  labels: Labels;
  /** Why its data cannot be used, for example an overflow; undefined when it can be used. */
  unusable?: string;
}

/**
 * What drivers with the capability `snapshots` can do. Idempotent like the verbs of VolumeDriver. A volume keeps the data of the
 * snapshot or volume that it is made from, whatever is deleted afterwards, in any order.
 */
export interface Snapshots {
  /**
   * Of the data that the volume has at one moment, also while it is written to. Throws NoSpace, StorageMissing, and VolumeBusy where
   * the storage cannot do that.
   */
  createSnapshot(snapshot: SnapshotSpec, options?: Omit<CopyOptions, 'accept'>): Promise<void>;
  /**
   * With the capability `groupSnapshots`: of several volumes, all of one moment. What exists of them is made anew. One that fails may
   * leave some of them, which the caller deletes, and leaves no volume paused. Throws as createSnapshot(), and PauseTooLong.
   */
  createSnapshots?(snapshots: readonly SnapshotSpec[], options?: Omit<CopyOptions, 'accept'>): Promise<void>;
  /** Whether everything that createSnapshot makes exists, and its data can be used. */
  hasSnapshot(snapshot: SnapshotSpec): Promise<boolean>;
  /** Replaces the labels of a snapshot that exists, also of one whose data cannot be used. Throws SnapshotMissing. */
  labelSnapshot(snapshot: SnapshotSpec): Promise<void>;
  /** To read them. Of drivers with the capability `images`. Throws SnapshotMissing, SnapshotUnusable, and the signal's reason. */
  openSnapshot?(snapshot: SnapshotSpec, options?: Pick<OpenOptions, 'signal'>): Promise<OpenData>;
  /**
   * Before all data of a volume are overwritten: refuses what would make a snapshot of it unusable. Only of drivers whose snapshots have a
   * bound for that. Throws SnapshotRoomTooSmall.
   */
  refuseOverwrite?(volume: VolumeSpec): Promise<void>;
  /** Absent is success. Throws SnapshotBusy naming what is in the way. */
  deleteSnapshot(snapshot: SnapshotSpec, options?: DeleteOptions): Promise<void>;
  /** Returns all snapshots of blockstore on this storage. */
  listSnapshots(): Promise<FoundSnapshot[]>;
  /** The same as VolumeDriver.readLabels(). */
  readLabels?(snapshot: Pick<FoundSnapshot, 'id' | 'volumeId'>): Promise<Labels | undefined>;
  /** `volume` is as large as the snapshot or larger. Throws NoSpace, SnapshotMissing, SnapshotUnusable, and what `accept` throws. */
  createFromSnapshot(volume: VolumeSpec, snapshot: SnapshotSpec, options?: CopyOptions): Promise<CreatedVolume>;
  /**
   * A volume with the data of an image that an image store has on the same storage, without copying them. `location` is the store's
   * URL, such as `rbd://<fsid>/<pool>/<image>/<snapshot>`. Returns undefined where the storage cannot do that: the caller copies the
   * data then. The image stays as it is, also when the volume is deleted. Throws NoSpace, InvalidArgument for an image that is larger
   * than the volume, and what `accept` throws.
   */
  cloneFrom?(volume: VolumeSpec, location: string, options?: CopyOptions): Promise<CreatedVolume | undefined>;
}

export interface CopyOptions extends CreateOptions {
  /** Called with 0 to 100 where data is copied, at most a few times a second. */
  progress?: (percent: number) => void;
}
