/** Connects an exported volume as a block device of this host. The address is that of the target. */
export interface Connector {
  readonly name: string;
  /** Resolves when the device answers; an existing device is checked again. Throws ConnectorFailed. */
  connect(address: string, options?: ConnectOptions): Promise<Connection>;
  /** Removes the device from this host; an absent device is success. Throws DeviceInUse with the users of the device. */
  disconnect(address: string, options?: WaitOptions): Promise<void>;
  /**
   * Makes the host read the size of the device again, also while it is in use. Returns the size in bytes, and with
   * `sizeBytes` only once the device is at least that large. Throws ConnectorFailed.
   */
  revalidate(address: string, options?: RevalidateOptions): Promise<number>;
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
  /** Where the volume's backend says that it answers (its `endpoint`): another answer is another machine's. Default: any. */
  endpoint?: string;
  /** Whether this host may not write to the device. Default: it may. */
  readOnly?: boolean;
}

export interface RevalidateOptions extends WaitOptions {
  sizeBytes?: number;
}

export interface Connection {
  devicePath: string;
}
