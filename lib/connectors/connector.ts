import type { Chap } from '../targets/target.ts';
import type { NetworkSource } from './libvirt-disk.ts';

/** Connects exported volumes as block devices of this host. Addresses are in the form of its targets, devices whole disks. */
export interface Connector {
  readonly name: string;
  /** What another host has, for messages: hosts are admitted and known by it. */
  readonly otherHost: string;
  /** How guests reach volumes by themselves; absent where they get the device of the host. */
  readonly network?: NetworkDisks;
  /** Where the device of a volume with that address is: a name that is never another volume's. */
  devicePath(address: string): string;
  /** Whether this host has anything of a volume with that address. */
  isOnHost(address: string): Promise<boolean>;
  /** Returns with what an export admits this host to a volume, and by what the host is known. Throws ConnectorFailed. */
  hostsToAdmit(volume: string): Promise<string[]>;
  /** Whether this host is the one that was admitted so, and not a clone of it. */
  isAdmitted(hosts: readonly string[]): Promise<boolean>;
  /** Before a volume is attached: whether this host can have devices of such volumes at all. Throws ConnectorFailed, CommandNotFound. */
  requireDevices?(volume: string): Promise<void>;
  /** Resolves when the device answers; an existing device is checked again. Throws ConnectorFailed. */
  connect(address: string, options?: ConnectOptions): Promise<Connection>;
  /** Removes the device from this host; an absent device is success. Throws DeviceInUse with the users of the device. */
  disconnect(address: string, options?: DisconnectOptions): Promise<void>;
  /**
   * Makes the host read the size of the device again, also while it is in use. Returns the size in bytes, and with
   * `sizeBytes` only once the device is at least that large. Throws ConnectorFailed.
   */
  revalidate(address: string, options?: RevalidateOptions): Promise<number>;
}

export interface NetworkDisks {
  /** What the definition of a domain names a volume with that address by. */
  nameOf(address: string): string;
  /** `endpoint` is that of the volume's backend. Throws ConnectorFailed. */
  sourceOf(volume: string, address: string, endpoint: string): NetworkSource;
}

export interface WaitOptions {
  /** Default 30,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface ConnectOptions extends WaitOptions {
  /** What the device must have: another size is another volume's. Default: any. */
  sizeBytes?: number;
  /** Whether the device can be of this volume already. Default: its users have it from an earlier attachment, and it is refused. */
  mayBeInUse?: boolean;
  /** What the volume's backend says of where it answers (its `endpoint`): another answer is another machine's. Default: any. */
  endpoint?: string;
  /** Whether this host may not write to the device. Default: it may. */
  readOnly?: boolean;
  /** The volume, where its device shows an identity that follows from the id. Default: any. */
  id?: string;
  /** With what this host authenticates itself, where the target asks for it. */
  chap?: Chap | undefined;
}

export interface DisconnectOptions extends WaitOptions {
  /** Whether nothing can be flushed any more: the export is closed. */
  isClosed?: boolean;
}

export interface RevalidateOptions extends WaitOptions {
  sizeBytes?: number;
}

export interface Connection {
  /** devicePath(), or the kernel's name of the device where nothing gives it that one. */
  devicePath: string;
}
