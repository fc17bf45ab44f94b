/** Connects an exported volume as a block device of this host. The address is that of the target. */
export interface Connector {
  readonly name: string;
  /** Resolves when the device answers; an existing device is checked again. Throws ConnectorFailed. */
  connect(address: string, options?: ConnectOptions): Promise<Connection>;
  /** Removes the device from this host; an absent device is success. Throws DeviceInUse with the users of the device. */
  disconnect(address: string, options?: ConnectOptions): Promise<void>;
  /**
   * Makes the host read the size of the device again, also while it is in use. Returns the size in bytes, and with
   * `sizeBytes` only once the device is at least that large. Throws ConnectorFailed.
   */
  revalidate(address: string, options?: RevalidateOptions): Promise<number>;
}

export interface ConnectOptions {
  /** Default 10,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface RevalidateOptions extends ConnectOptions {
  sizeBytes?: number;
}

export interface Connection {
  devicePath: string;
}
