import type { Storage } from '../devices/storage-streams.ts';
import type { OpenData } from '../drivers/open-data.ts';

export interface MigratedStorage extends Storage {
  /** The id of the volume, for errors. */
  volume: string;
  /** How much of it the storage has; what follows is zeros. Default: all. */
  dataBytes?: number;
}

/** Where the data of a migration go. */
export interface Destination {
  /** The id of the migration. */
  migration: string;
  /** 64 hexadecimal digits. */
  key: string;
  /** `host:port`. */
  endpoint: string;
}

/** What the data of a migration are written to. */
export interface Receiver extends Omit<ReceivingStorage, 'path'> {
  key: string;
  /** For each time that data are received. Throws the signal's reason. */
  open(signal: AbortSignal): Promise<OpenData>;
}

export interface ReceivingStorage extends Storage {
  /** The id of the volume, for errors. */
  volume: string;
  /** All of it reads as zeros: those of the volume need not be written. No longer so once something was. */
  isBlank: boolean;
}

/** Hosts that write to a volume while its data are sent. */
export interface Writers {
  /** Resolves once nothing writes any more. Called before the last pass; what changed until then is sent again. */
  stop: () => Promise<void>;
  /** How long they may be stopped until the destination has all. */
  limitMs: number;
}

export interface SendOptions {
  signal: AbortSignal;
  /** Called with 0 to 100. */
  progress: (percent: number) => void;
  /** Absent: nothing writes to the storage. */
  writers?: Writers;
}

/** Carries the data of volumes from node to node. */
export interface MigrationTransport {
  /**
   * Resolves once the destination has all the data, durably, and has read them back with the same checksum. Throws MigrationFailed,
   * StallTooLong.
   */
  send(to: Destination, storage: MigratedStorage, options: SendOptions): Promise<void>;
  /** Begins to receive, unless it does already. Returns the endpoint. `find`: by the id of a migration. Throws MigrationFailed. */
  listen(find: (migration: string) => Receiver | undefined): Promise<string>;
  /** Ends what is being received for a migration: nothing writes to its storage afterwards. */
  disconnect(migration: string): Promise<void>;
  /** Ends what is being received, and listens no more. It can begin again. */
  close(): Promise<void>;
}
