import type { NodeCommands } from '../../lib/client/node-commands.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { NodeStorage } from '../support/agreement.ts';
import type { Plan } from './plan.ts';

/** What there is outside Redis at a place of a test. */
export interface Sight {
  storage: NodeStorage;
  /** Process ids of exports, by volume. */
  exporters: ReadonlyMap<string, number>;
  /** All that must be the same after a crash as without one, a line each. */
  lines: readonly string[];
}

/** Where one daemon lives with its storage, on this machine or on another: started, killed and looked at by a test. */
export interface Place {
  /** The name of its node. */
  readonly node: string;
  readonly store: Store;
  readonly commands: VolumeCommands;
  readonly nodeCommands: NodeCommands;
  /** Numbers of a shelf. */
  readonly slots: number;
  running(): Promise<boolean>;
  /** Resolves when the daemon is ready, or has ended by its plan: counted from its first line on. */
  start(plan?: Plan): Promise<void>;
  /** Has the running daemon count from now on. Resolves when it does, or has ended by its plan. */
  arm(plan: Plan): Promise<void>;
  /** What was counted since; undefined while it does not count. */
  trace(): Promise<string>;
  /** Resolves when the daemon has ended. */
  ended(): Promise<void>;
  kill(): Promise<void>;
  look(): Promise<Sight>;
  /** Ends the export of a volume behind the daemon's back. */
  breakExport(id: string): Promise<void>;
  /** Removes the storage of a volume behind the daemon's back, and ends its export. */
  breakStorage(id: string): Promise<void>;
  /** Nothing of the past is left: neither in Redis nor on storage; no daemon runs. */
  reset(): Promise<void>;
  /** What the daemon said last. */
  log(): Promise<string>;
  close(): Promise<void>;
}
