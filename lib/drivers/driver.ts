import { errors } from '../errors.ts';
import type { Check } from '../check.ts';
import type { Definitions, ValuesOf } from '../flags/flag.ts';
import type { Log } from '../log.ts';
import type { Processes } from '../process.ts';
import type { Capabilities } from './capabilities.ts';
import type { OpenData, OpenOptions } from './open-data.ts';
import type { CopyOptions, Snapshots } from './snapshots.ts';

/**
 * Metadata stored with the data of a volume, so that its record can be rebuilt from storage alone. Names are one to thirty
 * lower-case letters, other than `id`; drivers do not interpret the values.
 */
export type Labels = Readonly<Record<string, string>>;

/** The volume that a driver acts on. Plain data: drivers know neither Redis nor targets. */
export interface VolumeSpec {
  /** UUID, part of the name of the volume's storage. */
  id: string;
  /** GiB, 0 to 1000; 0 is a volume of 100 MiB. */
  size: number;
  sizeBytes: number;
  labels: Labels;
}

export interface CreatedVolume {
  /** Fields that the driver stores in the volume's record. */
  fields: Record<string, string>;
  /** False when the storage already existed and can contain data. */
  isNew: boolean;
  /** All of it reads as zeros: what has zeros need not be written. */
  isBlank?: boolean;
}

/** A volume found on storage. */
export interface FoundVolume {
  id: string;
  sizeBytes: number;
  /** Empty when the storage has none. */
  labels: Labels;
  /** Why its data cannot be used, for example a missing disk; undefined when it can be used. */
  unusable?: string;
}

/** Consistent figures from a single read of the storage: the capacity for volumes is freeBytes + volumeBytes. */
export interface DriverStats {
  totalBytes: number;
  /** Free for new volumes: snapshots reduce it. */
  freeBytes: number;
  /** The sum of the sizes of our volumes. */
  volumeBytes: number;
  /** False while the pool is degraded: existing volumes are served, new ones are refused. */
  acceptsCreates: boolean;
  /** The problem of the pool, in one line. */
  problem?: string;
  /** How full a pool of thin volumes is, in percent; undefined where it is none, or gives no figures. */
  usage?: { dataPercent: number; metadataPercent: number };
}

export interface CreateOptions {
  signal?: AbortSignal;
  /** Called with the labels of storage that exists already, before it is changed; throws to refuse it. */
  accept?: (found: Labels) => void;
}

export interface DeleteOptions {
  /** The volume was never available, so there is nothing to wipe. */
  unused?: boolean;
  signal?: AbortSignal;
  /** Called with 0 to 100 while old data is wiped, at most a few times a second. */
  progress?: (percent: number) => void;
}

/**
 * Creates and deletes the storage of volumes. Every verb is idempotent: it can be repeated after a crash at any point of an
 * earlier call and ends in the same state (create keeps existing storage; delete of an absent volume succeeds).
 */
export interface VolumeDriver {
  readonly name: string;
  /** What its volumes are made from, as in `node@backend#pool`. */
  readonly pool: string;
  readonly capabilities: Capabilities;
  /**
   * Checks the prerequisites and creates what the flags allow. Can be repeated after a failure, and while volumes are
   * served. Throws the error to report to the operator.
   */
  setup(): Promise<void>;
  /**
   * Resumes volumes that an earlier daemon has paused to take snapshots of them at one moment, and nothing else. Called before anything
   * else at the start. Only of drivers that pause volumes.
   */
  resumePaused?(): Promise<void>;
  /** Throws NoSpace, and what `accept` throws. */
  createVolume(volume: VolumeSpec, options?: CreateOptions): Promise<CreatedVolume>;
  /** Whether everything that createVolume makes exists. */
  hasVolume(volume: VolumeSpec): Promise<boolean>;
  /** Activates an existing volume, for example after a reboot. Throws StorageMissing. */
  ensureVolume(volume: VolumeSpec): Promise<void>;
  /** Replaces the labels of a volume that exists. Throws StorageMissing. */
  labelVolume(volume: VolumeSpec): Promise<void>;
  /**
   * Returns the command with which an administrator labels storage that has the name of the volume and lost its labels, by which
   * it is not found; undefined where there is none. Only of drivers whose storage can lose its labels.
   */
  relabelCommand?(volume: VolumeSpec): Promise<string | undefined>;
  /**
   * Returns where the data of a volume that is not found are, with the command that undoes what an administrator did; undefined where
   * they are nowhere. Only of drivers whose storage can be renamed.
   */
  whereabouts?(volume: VolumeSpec): Promise<string | undefined>;
  /** Wipes the data as configured, then removes the volume. Throws VolumeBusy. */
  deleteVolume(volume: VolumeSpec, options?: DeleteOptions): Promise<void>;
  /** Returns the path of the block device or file that a target exports. */
  localPath(volume: VolumeSpec): string;
  /**
   * The data of a volume that no host has, where localPath() is no path of this node; of drivers with the capability `images` or
   * `migration`. Throws StorageMissing, VolumeBusy where a client has it, and the signal's reason.
   */
  openVolume?(volume: VolumeSpec, options: OpenOptions): Promise<OpenData>;
  /** Returns all volumes of blockstore on this storage. */
  listVolumes(): Promise<FoundVolume[]>;
  /**
   * Returns the labels that a volume has at this moment; undefined where it has none. Only of drivers whose listVolumes() remembers
   * what it has read: another node on the same storage may have changed it.
   */
  readLabels?(id: string): Promise<Labels | undefined>;
  stats(): Promise<DriverStats>;
  /** With the capability `extend`: `volume` has the new size, at least its present one. Throws NoSpace, StorageMissing. */
  extendVolume?(volume: VolumeSpec): Promise<void>;
  /**
   * With the capability `clones`: a copy of another volume's data of one moment, as large or larger, which stays whatever happens
   * to `source`. Throws NoSpace, StorageMissing, VolumeBusy where storage cannot copy a volume in use, and what `accept` throws.
   */
  cloneVolume?(volume: VolumeSpec, source: VolumeSpec, options?: CopyOptions): Promise<CreatedVolume>;
  /** With the capability `snapshots`. */
  readonly snapshots?: Snapshots;
  /** Ends helper processes without affecting volumes. Can be called twice. */
  close(): Promise<void>;
}

export interface DriverContext {
  processes: Processes;
  log: Log;
  /** Name of the backend in the configuration, for messages. */
  backend?: string;
}

/** Labels that a volume's record and its storage both have; storage with one of the last two is not, or no longer, the volume's. */
const recordedLabels = [
  'user',
  'project',
  'size',
  'name',
  'address',
  'lender',
  'created',
  'key',
  'copy',
  'moved',
] as const;

/** Whether the storage has other labels than a record asks for: others, or some that the record lacks. */
export function differInLabels(found: Labels, expected: Labels): boolean {
  return recordedLabels.some((name) => found[name] !== expected[name]);
}

/**
 * Returns the label that shows that storage was made for another volume than the one with the labels `expected`; undefined where none does.
 * The time is not compared: a create that is repeated after Redis has lost the record makes one of a later time.
 */
export function labelOfOther(found: Labels, expected: Labels): string | undefined {
  return ['user', 'project', 'size'].find((name) => found[name] !== undefined && found[name] !== expected[name]);
}

/** Throws InvalidArgument for an invalid label name. */
export function checkLabels(labels: Labels): void {
  const odd = Object.keys(labels).find((name) => !/^[a-z]{1,30}$/.test(name) || name === 'id');
  if (odd !== undefined)
    throw errors.invalidArgument('label', odd, 'one to thirty lower-case letters, other than "id"');
}

/** Flags of the node that every driver can use. */
export interface NodeFlags {
  storage_name: string;
  state_dir: string;
  num_shell_tries: number;
}

/** Registration of a driver. Its code is loaded when it is constructed or checked. */
export interface DriverRegistration<Name extends string, Own extends Definitions> {
  readonly name: Name;
  readonly flags: Own;
  /** Names of the targets that can export its local paths; default: all. */
  readonly targets?: readonly string[];
  /** Returns what the flags contradict or lack, a text each. */
  problems?(flags: ValuesOf<Own>): string[];
  /** Returns the name of the storage, which two backends of a node must not share; '' when it is never shared. */
  storage(flags: ValuesOf<Own>): string;
  make(flags: ValuesOf<Own> & NodeFlags, context: DriverContext): Promise<VolumeDriver>;
  /** Returns the checks for `blockstore doctor`. They change nothing. */
  check(flags: ValuesOf<Own> & NodeFlags, processes: Processes): readonly Check[];
}

export function defineDriver<const Name extends string, Own extends Definitions>(
  registration: DriverRegistration<Name, Own>,
): DriverRegistration<Name, Own> {
  return registration;
}
