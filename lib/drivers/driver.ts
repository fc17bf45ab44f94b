import { errors } from '../errors.ts';
import type { Check } from '../check.ts';
import type { Definitions, ValuesOf } from '../flags/flag.ts';
import type { Log } from '../log.ts';
import type { Processes } from '../process.ts';

/**
 * What is kept of a volume beside its data, so that its record can be rebuilt from storage alone. Names are one to thirty
 * lower-case letters, `id` excepted; drivers do not interpret the values.
 */
export type Labels = Readonly<Record<string, string>>;

/** The volume that a driver acts on. Plain data: drivers know neither Redis nor targets. */
export interface VolumeSpec {
  /** UUID. What the driver makes is named after it. */
  id: string;
  /** GiB, 0 to 1000; 0 is a volume of 100 MiB. */
  size: number;
  sizeBytes: number;
  labels: Labels;
}

export interface CreatedVolume {
  /** What the driver wants kept in the volume's record. */
  fields: Record<string, string>;
  /** False where it was there already: then somebody may have data on it. */
  isNew: boolean;
}

/** A volume found on storage. */
export interface FoundVolume {
  id: string;
  sizeBytes: number;
  /** Empty where the storage keeps none. */
  labels: Labels;
  /** Why its data cannot be used now, for example the disk that is absent. Absent: it can be used. */
  unusable?: string;
}

/** All figures are from one look at the storage: the capacity for volumes is freeBytes + volumeBytes. */
export interface DriverStats {
  totalBytes: number;
  /** Free for new volumes. */
  freeBytes: number;
  /** The sum of the sizes of our volumes. */
  volumeBytes: number;
  /** False while the pool is degraded: existing volumes are served, new ones are refused. */
  acceptsCreates: boolean;
  /** What is wrong with the pool, in one line. */
  problem?: string;
}

/** What a driver can do beyond creating and deleting volumes. A request that needs more is refused before anything starts. */
export interface Capabilities {
  snapshots: boolean;
  clones: boolean;
  extend: boolean;
  thin: boolean;
  multiattach: boolean;
  discard: boolean;
  /** Identity of storage that several nodes reach, for example `rbd:<fsid>/<pool>`; empty: this node alone reaches it. */
  shared: string;
}

export const noCapabilities: Capabilities = {
  snapshots: false,
  clones: false,
  extend: false,
  thin: false,
  multiattach: false,
  discard: false,
  shared: '',
};

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
  readonly capabilities: Capabilities;
  /**
   * Checks the prerequisites, makes what may be made. Throws the error that an operator must see; may be called again
   * after a failure, and while volumes are served.
   */
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

/** Whether every label wanted is there with its value. What the storage has besides is no difference. */
export function hasLabels(found: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([name, value]) => found[name] === value);
}

/** Throws InvalidArgument for a name that a label cannot have. */
export function checkLabels(labels: Labels): void {
  const odd = Object.keys(labels).find((name) => !/^[a-z]{1,30}$/.test(name) || name === 'id');
  if (odd !== undefined)
    throw errors.invalidArgument('label', odd, 'one to thirty lower-case letters, other than "id"');
}

/** Bytes of a volume of `size` GiB; 0 stands for 100 MiB, as in the 2010 BlockStore. */
export function sizeInBytes(size: number): number {
  return size === 0 ? 100 * 2 ** 20 : size * 2 ** 30;
}

/** Flags of the node that every driver may use. */
export interface NodeFlags {
  state_dir: string;
  num_shell_tries: number;
}

/** What the rest of the product uses of a driver. Its code is loaded when it is made or checked, not before. */
export interface DriverRegistration<Name extends string, Own extends Definitions> {
  readonly name: Name;
  readonly flags: Own;
  /** Names the storage: two backends of a node must not use the same. Empty: each has storage of its own. */
  storage(flags: ValuesOf<Own>): string;
  make(flags: ValuesOf<Own> & NodeFlags, context: DriverContext): Promise<VolumeDriver>;
  /** Checks of a host for `blockstore doctor`. They change nothing. */
  check(flags: ValuesOf<Own> & NodeFlags, processes: Processes): readonly Check[];
}

export function defineDriver<const Name extends string, Own extends Definitions>(
  registration: DriverRegistration<Name, Own>,
): DriverRegistration<Name, Own> {
  return registration;
}
