import type { NodeCommands } from '../../lib/client/node-commands.ts';
import type { SnapshotCommands } from '../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { NodeStorage } from '../support/agreement.ts';
import type { Copies } from './copies.ts';
import type { Plan } from './plan.ts';

/** Objects of a place outside Redis. */
export interface Sight {
  storage: NodeStorage;
  /** By volume: process ids of exports, or what else another export would not have. */
  exporters: ReadonlyMap<string, string>;
  /** Everything that must be the same with and without a crash, a line each. */
  lines: readonly string[];
}

/** The environment of one daemon with its storage, on this machine or another, under control of a test. */
export interface Place {
  /** Name of the node. */
  readonly node: string;
  /** Hosts that attached volumes are for, in the form of the target. */
  readonly hosts: readonly string[];
  readonly store: Store;
  readonly commands: VolumeCommands;
  readonly snapshots: SnapshotCommands;
  readonly nodeCommands: NodeCommands;
  /** Undefined where it has one backend and no stores. */
  readonly copies?: Copies | undefined;
  running(): Promise<boolean>;
  /** Starts the daemon, counting from its first line; resolves when it is ready, or has died by its plan. */
  start(plan?: Plan): Promise<void>;
  /** Makes the running daemon count from now on; resolves when it does, or has died by its plan. */
  arm(plan: Plan): Promise<void>;
  /** Returns the effects counted since; undefined while it does not count. */
  trace(): Promise<string>;
  /** Resolves when the daemon has ended. */
  ended(): Promise<void>;
  kill(): Promise<void>;
  look(): Promise<Sight>;
  /** Ends the export of a volume without the daemon. */
  breakExport(id: string): Promise<void>;
  /** Removes the storage of a volume and ends its export without the daemon. */
  breakStorage(id: string): Promise<void>;
  /** Empties Redis and storage; no daemon runs then. */
  reset(): Promise<void>;
  /** Returns the last lines of the daemon's log. */
  log(): Promise<string>;
  close(): Promise<void>;
}
