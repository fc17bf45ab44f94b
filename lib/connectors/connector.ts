/** The attaching host's half: it makes an exported volume a block device of this host. An address is the target's. */
export interface Connector {
  readonly name: string;
  /** Resolves when the device answers; one that is there already is checked again. Throws ConnectorFailed. */
  connect(address: string, options?: ConnectOptions): Promise<Connection>;
  /** The device is gone from this host; absent is success. Throws DeviceInUse, naming who has it open or mounted. */
  disconnect(address: string, options?: ConnectOptions): Promise<void>;
  /**
   * The host looks again at the device's size, also while it is in use. Resolves with it, in bytes; when `sizeBytes` is
   * given, not before the device is at least that large. Throws ConnectorFailed.
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
