import type { BlockstoreError } from '../errors.ts';
import type { Check } from '../check.ts';
import type { Definitions, ValuesOf } from '../flags/flag.ts';
import type { Limits } from '../models/limits.ts';
import type { Log } from '../log.ts';
import type { Processes } from '../process.ts';

/** Specification of an export. Plain data: targets know neither Redis nor drivers. */
export interface ExportSpec {
  /** The volume's UUID. */
  id: string;
  /** Block device or file, as the driver's localPath gives it. */
  path: string;
  /** Where hosts find the export, in the target's own form; '' for a target that needs none. */
  address: string;
  readOnly: boolean;
  /** Ethernet addresses or initiator names that may use the export; empty: all. */
  hosts: readonly string[];
  /** With what hosts must authenticate themselves. Absent: with nothing. */
  chap?: Chap | undefined;
  /** How much hosts can use it, where the target can keep them to that. Absent: without limits. */
  limits?: Limits;
}

/** A user and a secret, of one attachment, or of all those that a volume has at once. The secret is in no log, error or output. */
export interface Chap {
  user: string;
  secret: string;
}

/** An export found running on this node, with the rights that it really has. `id` is absent when it is not one of ours. */
export interface FoundExport {
  id?: string;
  address: string;
  path: string;
  readOnly: boolean;
  /** In the target's canonical form, sorted; empty: all. */
  hosts: readonly string[];
  /** As far as this node knows it. */
  chap?: Chap | undefined;
  /** Those that hosts are kept to, also none. Absent: the target keeps them to none, or does not show them. */
  limits?: Limits;
}

/** An address seen on the wire. */
export interface SeenAddress {
  address: string;
  /** Ethernet address of the machine that answers. */
  host: string;
}

/** What keeps exports from running: all exports of the node, or with an id that of one volume. */
export interface TargetProblem {
  id?: string;
  error: BlockstoreError;
}

/**
 * Makes volumes reachable from other machines. Verbs say "make it so" as a driver's do. Exports outlive the daemon:
 * nothing here ends one but removeExport.
 */
export interface Target {
  readonly name: string;
  /**
   * Where addresses come from: `aoe`, the pool of the cluster's AoE shelves; `own`, addressOf() derives them from the id; `storage`,
   * findAddress() reads them, once the volume exists; `none`, it exports nothing, and addressOf() says where
   * hosts find the volume themselves.
   */
  readonly addressing: 'aoe' | 'own' | 'storage' | 'none';
  /** With what an attachment is issued that hosts authenticate themselves by. */
  readonly authentication: 'chap' | 'none';
  /** What hosts must know beside the address of a volume, in the target's own form: the Ethernet address that answers; '' = nothing. */
  readonly endpoint: string;
  /** Checks the prerequisites. Throws CommandNotFound, InterfaceDown, NoRawSocket. */
  setup(): Promise<void>;
  /** For `own`, and for `none`: the present address of a volume, whether it is exported or not. It can change with the flags of the node. */
  addressOf?(id: string): string;
  /** For `storage`: the address of a volume; undefined while the volume does not exist. */
  findAddress?(id: string): Promise<string | undefined>;
  /**
   * Before the attachment of a volume to these hosts is made: returns its user and secret, where hosts have one for all their volumes;
   * `fresh` for hosts that have none yet. Absent: each attachment has its own. Throws ExportFailed.
   */
  shareChap?(id: string, hosts: readonly string[], fresh: Chap): Promise<Chap>;
  /** Running as specified, once: started, found, restarted when dead or when its options differ. Throws ExportFailed. */
  ensureExport(spec: ExportSpec): Promise<void>;
  /**
   * As ensureExport(), of storage that has grown: it serves the present size, which hosts see when they look again. They keep their
   * devices; I/O waits meanwhile where the export has to begin anew. Throws what ensureExport() throws.
   */
  resizeExport(spec: ExportSpec): Promise<void>;
  /** Resolves when the export is certainly gone. Throws when it cannot be made sure. Absent is success. */
  removeExport(id: string): Promise<void>;
  /** Exports that run on this node, ours and others'. */
  listExports(): Promise<FoundExport[]>;
  /**
   * Volumes, by their ids, of which this node keeps anything for an export, whether it runs or not: a power loss brings files
   * back that were removed just before it. removeExport clears them.
   */
  listTraces(): Promise<string[]>;
  /**
   * For `aoe`: the addresses of these shelves that answer on the wire: all of them, this node's own included where they are heard.
   * Throws DiscoveryIncomplete when some may be left out, InterfaceDown while none can answer.
   */
  discover?(shelves: readonly number[]): Promise<SeenAddress[]>;
  /**
   * Returns the present problems, from a table in memory: the target watches its exports, and starts those again that end. While a
   * problem of the whole node lasts, its volumes have none of their own.
   */
  problems(): readonly TargetProblem[];
  /** Exports that had ended and were started again, since the daemon began. Absent: the target watches none. */
  readonly restarts?: number;
  close(): Promise<void>;
}

/**
 * ATA over Ethernet, whose hosts are Ethernet addresses; iSCSI, whose hosts are initiator names; NVMe over TCP, whose hosts are NQNs; Ceph
 * and Sheepdog, which hosts reach without an export; `none`: volumes reach nobody.
 */
export type Protocol = 'aoe' | 'iscsi' | 'nvme' | 'rbd' | 'sheepdog' | 'none';

/** What the rest of the product uses of a target. Its code is loaded when it is made or checked, not before. */
export interface TargetRegistration<Name extends string, Own extends Definitions> {
  readonly name: Name;
  /** By what hosts reach its exports: it determines their connector, and by what hosts are admitted. */
  readonly protocol: Protocol;
  readonly flags: Own;
  /**
   * An address can go to another node while hosts have the volume: they repeat what nobody answers, and find the node that answers then. Absent:
   * they have a connection to one node.
   */
  readonly movesAddress?: true;
  /** Names of the drivers whose volumes it can export; default: all. */
  readonly drivers?: readonly string[];
  /** Returns what the flags contradict or lack, a text each. */
  problems?(flags: ValuesOf<Own> & { export_unattached: boolean }): string[];
  make(flags: ValuesOf<Own> & NodeFlags, context: { processes: Processes; log: Log }): Promise<Target>;
  /** Checks of a host for `blockstore doctor`. They change nothing. */
  check(flags: ValuesOf<Own> & NodeFlags, processes: Processes): readonly Check[];
}

/** Flags of the node that every target may use. */
export interface NodeFlags {
  storage_name: string;
  state_dir: string;
  num_shell_tries: number;
}

export function defineTarget<const Name extends string, Own extends Definitions>(
  registration: TargetRegistration<Name, Own>,
): TargetRegistration<Name, Own> {
  return registration;
}
