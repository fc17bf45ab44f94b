import type { MigrationTransport } from '../../../lib/migration/transport.ts';
import type { MigrationState } from '../../../lib/models/migration-state.ts';
import type { ChangeSet, Condition, Edit } from '../../../lib/redis/scripts.ts';
import type { BackupStore } from '../../../lib/backups/store.ts';
import type { BlockstoreError } from '../../../lib/errors.ts';
import type { Processes } from '../../../lib/process.ts';
import type { ImageSource } from '../../../lib/images/fill.ts';
import type { AttachmentStatus } from '../../../lib/models/attachment-state.ts';
import type { VolumeAttachments } from '../../../lib/models/attachment.ts';
import type { SnapshotState, SnapshotStatus } from '../../../lib/models/snapshot-state.ts';
import type { GroupTaskKind, TaskKind } from '../../../lib/models/task.ts';
import type { TransitionName } from '../../../lib/models/transitions.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Addresses } from '../addresses.ts';
import type { Backend } from '../backends.ts';

/** What a step works with. */
export interface StepContext {
  /** As the record was when the operation began, with the fields that steps have returned since. */
  volume: VolumeState;
  /** The same, without these. */
  before: VolumeState;
  backend: Backend;
  /** What the operation is about, where that is a snapshot; of a creation what is copied. */
  snapshot: SnapshotState | undefined;
  /** Those of the volume, where the operation is about them all. */
  snapshots: readonly SnapshotState[];
  /** Those of the volume, where the operation is about one. */
  attachments: VolumeAttachments;
  /** The volume that is copied, or whose snapshot is. */
  origin: VolumeState | undefined;
  /** Of a migration, once its destination is ready. */
  migration: MigrationState | undefined;
  migrations: Migrations;
  addresses: Addresses;
  images: ImageSource;
  backups: Backups;
  /** Whether unattached volumes are exported as well. */
  exportUnattached: boolean;
  /** Whether its storage here is, or may be, what it has left with a migration: it is neither served nor labelled. */
  hasLeft: boolean;
  /** Whether an earlier run, of this state of Redis or a later one, may have done part of the steps. */
  isResumed: boolean;
  /** Whether this very run has made the storage: nobody can have data on it. */
  madeStorage: boolean;
  /** Whether all of that reads as zeros. */
  isBlank: boolean;
  /** Whether this very run has made it with the data of its image. */
  hasImage: boolean;
  /** Of a restore: whose data the storage has in part, see writeSource(); '' = nobody's, undefined: not known. */
  partly: string | undefined;
  /** Why what was done is undone. */
  failure: BlockstoreError | undefined;
  /** Does what takes the data of a volume of this node while no operation runs on it. Throws WrongStatus where a host has it. */
  whileDetached: (volume: string, work: () => Promise<void>) => Promise<void>;
  /** Before a destructive step: the record still asks for it, of this node. Throws Fenced, TaskLost. */
  checkTask: () => Promise<void>;
  /** Before what was made is removed again: another node can have taken it over. Throws Fenced. */
  checkLease: () => Promise<void>;
  /** Aborts when the daemon stops or loses its lease; the step runs again at the next start. */
  signal: AbortSignal;
  /** 0 to 100; shown in the record. */
  progress: (percent: number) => void;
}

/** Where backups are. */
export interface Backups {
  store: BackupStore;
  processes: Processes;
}

/** The records of migrations, and how their data go to other nodes. */
export interface Migrations {
  transport: MigrationTransport;
  /** Throws ChangeLost where Redis has lost it. */
  read(id: string): Promise<MigrationState>;
  /**
   * The destination has all data, nobody writes here any more, and the migration cannot be cancelled. Throws MigrationCancelled where it was
   * before, ChangeLost where Redis has lost it.
   */
  setLeaving(migration: MigrationState): Promise<void>;
  /** Before anybody can write here again: the destination cannot take the volume from then on. Throws ChangeLost, Fenced. */
  unsetLeaving(id: string): Promise<void>;
  /** Sends its command to the destination again: that may have lost it. */
  remind(migration: MigrationState): Promise<void>;
  /** How long hosts may wait for the last data of a volume. */
  stallMs: number;
  /**
   * Has the destination look again at what it has of the volume: it says then anew where it receives the data, or that it has them. Throws
   * NodeDown, NodeLost.
   */
  renew(migration: MigrationState): Promise<void>;
  /** At the destination: `accept` makes what has arrived the storage of the volume, and nothing that is sent is written to it any more. */
  arrive(volume: string, accept: () => Promise<void>): Promise<void>;
  /** Returns a command to a node about a volume. */
  commandTo(node: string, volume: string): Command;
}

type Command = NonNullable<ChangeSet['commands']>[number];

/** What the end of an operation changes besides the volume's status. */
export interface OperationEnd {
  set?: Readonly<Record<string, string>>;
  unset?: readonly string[];
  edits?: readonly Edit[];
  commands?: readonly Command[];
  /** Without which it has failed, with that error. */
  condition?: { is: Condition; otherwise: BlockstoreError };
}

/** `isRequesters`: the failure is theirs alone, as with `sparesVolume`. */
export interface Failure {
  transition: TransitionName;
  set?: Readonly<Record<string, string>>;
  isRequesters?: true;
}

/** Fields of the record that a step determines. */
export type StepFields = Partial<Pick<VolumeState, 'address' | 'lender' | 'chap' | 'size'>>;

export interface Step {
  name: string;
  /** Asked only when the operation is resumed. */
  isDone?(context: StepContext): Promise<boolean>;
  /** "Make it so": also right when it was done before, wholly or half. */
  run(context: StepContext): Promise<StepFields | void>;
}

/** What a node does to a volume: steps, then one guarded transition. A new operation is a new one of these. */
export interface Operation {
  name: Exclude<TaskKind, GroupTaskKind>;
  /** Long work has its own bound, so that it does not hold up short work. */
  queue: 'short' | 'long';
  steps: readonly Step[];
  /** Give back what the steps took when one of them failed for good. */
  undo: readonly Step[];
  /** A failure is the requesters' alone: the volume is as it was. */
  sparesVolume?: true;
  /** Of a snapshot: its status at either end; `removed`: it has no record any more. */
  ofSnapshot?: { finish: SnapshotStatus | 'removed'; fail: SnapshotStatus };
  /** It serves, copies or labels the data of the volume, which must not be those of a restore in part. */
  usesData?: true;
  /** Of an attachment: what it is after the operation, and after one that has failed. */
  ofAttachment?: { finish: AttachmentStatus | 'removed'; fail: AttachmentStatus | 'removed' };
  /** Whether it is about all snapshots of the volume. */
  isOfAllSnapshots?(volume: VolumeState): boolean;
  /** They end with the volume; what they are where that has failed. */
  endsSnapshots?: { fail: SnapshotStatus };
  finish: TransitionName;
  fail: TransitionName;
  /** Its end where it has failed, if that depends on how far it came. */
  failure?(context: StepContext): Failure;
  /** Whether it must not end with that error: it is begun again with the next report. */
  postpones?(context: StepContext, error: BlockstoreError): boolean;
  /** The error as the record and the requesters get it, where it is not the one that a step threw. */
  failsWith?(volume: VolumeState, cause: BlockstoreError): BlockstoreError;
  /** What goes with its good end. */
  endsWith?(context: StepContext): OperationEnd;
  /** Codes with which the id is another volume's, and how the operation ends then. */
  refusal?: { codes: ReadonlySet<string>; transition: TransitionName };
  /** Codes with which the node hands the volume back: it is placed on another backend. */
  handsBack: ReadonlySet<string>;
}
