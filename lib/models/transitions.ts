import type { TaskKind } from './task.ts';
import { restoreFields, transferFields } from './volume-fields.ts';
import type { AttachStatus, VolumeStatus } from './volume-state.ts';

export interface Transition {
  /** Statuses that it begins from; a transition that ends a task names the task instead. */
  from?: { status?: readonly VolumeStatus[]; attachStatus?: readonly AttachStatus[] };
  /** The task that it belongs to. */
  during?: TaskKind;
  /** The task ends with it. */
  ends?: true;
  /** The task that it begins. */
  begins?: TaskKind;
  set?: { status?: VolumeStatus; attachStatus?: AttachStatus };
  unset?: readonly string[];
  /** Fields that become the time. */
  stamp?: readonly string[];
  /** The record goes, and its address is in quarantine. */
  remove?: true;
  /** No export of the volume is left; otherwise the storage that an operation refused stays, and may be exported. */
  endsExport?: true;
  /** Its status is that of its attachments again: `in-use`, `reserved` or `available`. */
  settles?: true;
  /** An attachment ends: its statuses and the rights of its export become those of the `remaining` ones. */
  endsAttachment?: true;
  /** Its transfer ends: see endedWith(). */
  endsTransfer?: true;
  /** Its migration ends, and its destination keeps nothing that is not the volume's: see endedWith(). */
  endsMigration?: true;
  /** It is another backend's from now on. */
  leaves?: true;
  /** A volume in error stays so, with its fault: only its attachment changes. */
  keepsError?: true;
}

/** Statuses of a volume with data that nothing is under way for. */
const steady = {
  status: ['available', 'reserved', 'in-use', 'error_attaching', 'error_detaching', 'error_extending'],
  attachStatus: ['detached', 'attached'],
} as const;

/** Those of a volume that a transfer offers. */
const offered = { status: ['awaiting-transfer'], attachStatus: ['detached'] } as const;

function restoreFrom(status: readonly VolumeStatus[]) {
  return {
    from: { status, attachStatus: ['detached'] },
    begins: 'restore',
    set: { status: 'restoring' },
    stamp: ['restoreTime'],
    unset: ['fault'],
  } as const;
}

/** Every allowed change of a volume's status. */
export const transitions = {
  finishCreate: { during: 'create', ends: true, set: { status: 'available' }, unset: ['fault', 'copying'] },
  failCreate: {
    during: 'create',
    ends: true,
    set: { status: 'error' },
    unset: ['copying', 'migration'],
    endsMigration: true,
  },
  /** Its data have been sent to the backend that is to have it, which completes its creation. */
  leaveNew: { during: 'create', leaves: true, unset: ['migration', 'sent', 'progress', 'step', 'attempts'] },
  /** Its storage is another volume's: a record that stayed would have it deleted with this one. */
  refuseCreate: { during: 'create', remove: true },
  startAttach: {
    from: { status: ['available', 'reserved', 'error_attaching', 'error_extending'], attachStatus: ['detached'] },
    begins: 'attach',
    set: { status: 'in-use', attachStatus: 'attaching' },
    unset: ['fault'],
  },
  /** One more host gets it, or the host that has a volume whose attachment Redis has lost. */
  startFurtherAttach: {
    from: { status: ['in-use'], attachStatus: ['attached'] },
    begins: 'attach',
    set: { attachStatus: 'attaching' },
    unset: ['fault'],
  },
  /** It is kept for an attachment that no host has yet. */
  reserve: {
    from: { status: ['available', 'reserved', 'error_attaching', 'error_extending'], attachStatus: ['detached'] },
    set: { status: 'reserved' },
    unset: ['fault'],
  },
  /** The same of one that other hosts have. */
  reserveFurther: { from: { status: ['in-use'], attachStatus: ['attached'] } },
  /** An attachment that no host has ends. */
  unreserve: { from: { status: ['reserved'], attachStatus: ['detached'] }, set: { status: 'available' } },
  unreserveFurther: {},
  finishAttach: { during: 'attach', ends: true, set: { attachStatus: 'attached' }, unset: ['fault'] },
  failAttach: {
    during: 'attach',
    ends: true,
    set: { status: 'error_attaching', attachStatus: 'detached' },
    endsAttachment: true,
  },
  /** Neither could its host be admitted, nor is it certain that it is not, beside other attachments, also reserved ones. */
  failAttachUndo: {
    during: 'attach',
    ends: true,
    set: { status: 'error_detaching', attachStatus: 'attached' },
  },
  startDetach: {
    from: { attachStatus: ['attached'] },
    begins: 'detach',
    set: { status: 'in-use', attachStatus: 'detaching' },
    unset: ['fault'],
    keepsError: true,
  },
  finishDetach: {
    during: 'detach',
    ends: true,
    set: { status: 'available', attachStatus: 'detached' },
    unset: ['fault'],
    endsAttachment: true,
    keepsError: true,
  },
  failDetach: {
    during: 'detach',
    ends: true,
    set: { status: 'error_detaching', attachStatus: 'attached' },
    keepsError: true,
  },
  /** The node is lost: nothing of it can be asked, and no export of it can be reached. */
  detachLost: {
    from: { attachStatus: ['attached', 'detaching', 'attaching'] },
    ends: true,
    set: { status: 'error', attachStatus: 'detached' },
    unset: ['newSize', 'snapshot', 'image', ...restoreFields, 'copying'],
    endsAttachment: true,
    keepsError: true,
  },
  startDelete: {
    from: {
      status: ['available', 'error', 'error_deleting', 'error_attaching', 'error_extending', 'error_restoring'],
      attachStatus: ['detached'],
    },
    begins: 'delete',
    set: { status: 'deleting' },
    unset: ['fault', 'migration'],
    endsMigration: true,
  },
  finishDelete: { during: 'delete', remove: true, endsExport: true },
  /** It has ended before, and the storage is a later volume's, whose record is made again from it. */
  refuseDelete: { during: 'delete', remove: true },
  failDelete: { during: 'delete', ends: true, set: { status: 'error_deleting' }, unset: ['withSnapshots'] },
  /** Its space is allocated from here on: the field `newSize` counts. */
  startExtend: {
    from: { status: ['available', 'in-use', 'error_extending'], attachStatus: ['detached', 'attached'] },
    begins: 'extend',
    set: { status: 'extending' },
    unset: ['fault'],
  },
  finishExtend: { during: 'extend', ends: true, settles: true, unset: ['fault', 'newSize'] },
  failExtend: { during: 'extend', ends: true, set: { status: 'error_extending' }, unset: ['newSize'] },
  /** An operation has failed and left the volume as it was before; an administrator has seen why. */
  dismissFault: {
    from: {
      status: ['error_attaching', 'error_detaching', 'error_extending'],
      attachStatus: ['detached', 'attached'],
    },
    settles: true,
    unset: ['fault'],
  },
  /** The volume goes on as it is: the status is that of the snapshot. */
  startSnapshot: { from: steady, begins: 'snapshot' },
  finishSnapshot: { during: 'snapshot', ends: true, unset: ['snapshot'] },
  failSnapshot: { during: 'snapshot', ends: true, unset: ['snapshot'] },
  /** Also of a volume in error, which stays so: otherwise neither could be deleted. */
  startDeleteSnapshot: {
    from: { ...steady, status: [...steady.status, 'error', 'error_deleting', 'error_restoring'] },
    begins: 'delete-snapshot',
  },
  finishDeleteSnapshot: { during: 'delete-snapshot', ends: true, unset: ['snapshot'] },
  failDeleteSnapshot: { during: 'delete-snapshot', ends: true, unset: ['snapshot'] },
  /** The same of all volumes of a group at once. */
  startGroupSnapshot: { from: steady, begins: 'group-snapshot' },
  finishGroupSnapshot: { during: 'group-snapshot', ends: true, unset: ['snapshot'] },
  failGroupSnapshot: { during: 'group-snapshot', ends: true, unset: ['snapshot'] },
  startDeleteGroupSnapshot: {
    from: { ...steady, status: [...steady.status, 'error', 'error_deleting', 'error_restoring'] },
    begins: 'delete-group-snapshot',
  },
  finishDeleteGroupSnapshot: { during: 'delete-group-snapshot', ends: true, unset: ['snapshot'] },
  failDeleteGroupSnapshot: { during: 'delete-group-snapshot', ends: true, unset: ['snapshot'] },
  /** Nothing writes to the volume meanwhile. */
  startUpload: { from: { status: ['available'], attachStatus: ['detached'] }, begins: 'upload' },
  finishUpload: { during: 'upload', ends: true, unset: ['image'] },
  failUpload: { during: 'upload', ends: true, unset: ['image'] },
  /** The same. */
  startBackup: { from: { status: ['available'], attachStatus: ['detached'] }, begins: 'backup' },
  finishBackup: { during: 'backup', ends: true, unset: ['backup'] },
  failBackup: { during: 'backup', ends: true, unset: ['backup'] },
  /** Its data become those of a backup, a snapshot or an image. */
  startRestore: restoreFrom(['available', 'error_attaching', 'error_extending', 'error_restoring']),
  /** The same also of one that is kept for an attachment, and stays so. */
  startRestoreReserved: restoreFrom(['available', 'reserved', 'error_attaching', 'error_extending', 'error_restoring']),
  finishRestore: { during: 'restore', ends: true, set: { status: 'available' }, unset: ['fault', ...restoreFields] },
  /** Nothing was written. */
  refuseRestore: { during: 'restore', ends: true, set: { status: 'available' }, unset: restoreFields },
  /** It has data of both. */
  failRestore: { during: 'restore', ends: true, set: { status: 'error_restoring' }, unset: ['restoreTime'] },
  /** Its storage says that it has not: nothing was written, or Redis has lost that it was restored again. */
  endRestore: {
    from: { status: ['error_restoring'], attachStatus: ['detached'] },
    set: { status: 'available' },
    unset: ['fault', ...restoreFields],
  },
  /** Its storage says that it does not have all of its data: of an image or a backup, while it was made or restored. */
  resumeCreate: {
    from: { status: ['error'], attachStatus: ['detached'] },
    begins: 'create',
    set: { status: 'creating' },
    unset: ['fault'],
  },
  resumeRestore: {
    from: {
      status: ['available', 'reserved', 'error', 'error_attaching', 'error_extending', 'awaiting-transfer'],
      attachStatus: ['detached'],
    },
    begins: 'restore',
    set: { status: 'restoring' },
    stamp: ['restoreTime'],
    unset: ['fault', ...transferFields],
    endsTransfer: true,
  },
  /** It is offered to another project, and stays as it is until that has it or the transfer ends. */
  startTransfer: {
    from: { status: ['available'], attachStatus: ['detached'] },
    set: { status: 'awaiting-transfer' },
  },
  endTransfer: { from: offered, set: { status: 'available' }, unset: transferFields, endsTransfer: true },
  /** The other project has it: its node labels the storage accordingly. */
  acceptTransfer: {
    from: offered,
    begins: 'relabel',
    set: { status: 'transferring' },
    unset: [...transferFields, 'fault'],
  },
  finishRelabel: { during: 'relabel', ends: true, set: { status: 'available' }, unset: ['fault'] },
  /** The volume can be used: only a loss of Redis would give it back to its former owner. */
  failRelabel: { during: 'relabel', ends: true, set: { status: 'available' } },
  /** Nothing writes to the volume until it has ended, unless it is attached. */
  startMigrate: {
    from: {
      status: ['available', 'in-use', 'error_attaching', 'error_detaching', 'error_extending'],
      attachStatus: ['detached', 'attached'],
    },
    begins: 'migrate',
    set: { status: 'migrating' },
    unset: ['fault'],
  },
  /** The data are at the destination, whose node completes the task. Hosts that have the volume find it at the same address. */
  leave: { during: 'migrate', leaves: true, unset: ['migration', 'address', 'progress', 'step', 'attempts'] },
  /** The same of a volume that is there already, where Redis has lost that. */
  leaveAgain: {
    from: {
      status: [
        'available',
        'reserved',
        'in-use',
        'error',
        'error_attaching',
        'error_detaching',
        'error_extending',
        'awaiting-transfer',
      ],
      attachStatus: ['detached', 'attached'],
    },
    begins: 'migrate',
    leaves: true,
    set: { status: 'migrating' },
    unset: ['address', 'fault', 'migration', ...transferFields],
    endsTransfer: true,
    endsMigration: true,
  },
  finishMigrate: { during: 'migrate', ends: true, settles: true, unset: ['fault'] },
  failMigrate: {
    during: 'migrate',
    ends: true,
    settles: true,
    unset: ['migration'],
    endsMigration: true,
  },
  /** It has left for a node that was lost before the record said so. */
  failLeaving: { during: 'migrate', ends: true, set: { status: 'error' } },
  /** What it has left stays, as long as it is in error. */
  failArrival: { during: 'migrate', ends: true, set: { status: 'error' } },
  /** Of it or of a snapshot. It goes on as it is. Its storage has the name in its labels; where it cannot be labelled, the audit does it. */
  startRename: { from: steady, begins: 'rename' },
  finishRename: { during: 'rename', ends: true, unset: ['snapshot'] },
  failRename: { during: 'rename', ends: true, unset: ['snapshot'] },
  /** It becomes one of a group. */
  joinGroup: { from: steady },
  /** What only Redis knows of it: description, metadata, flags. */
  describe: {},
  /** Its node was declared lost: nothing of its task will end. */
  loseNode: {
    ends: true,
    set: { status: 'error' },
    unset: ['newSize', 'snapshot', 'image', ...restoreFields, 'copying', 'migration', ...transferFields],
    endsTransfer: true,
    endsMigration: true,
  },
  loseNodeDetached: {
    ends: true,
    set: { status: 'error', attachStatus: 'detached' },
    unset: ['newSize', 'snapshot', 'image', ...restoreFields, 'copying', 'migration', ...transferFields],
    endsAttachment: true,
    endsTransfer: true,
    endsMigration: true,
  },
  /** Storage that a record names is absent. */
  markMissing: {
    from: {
      status: [
        'available',
        'reserved',
        'in-use',
        'error_attaching',
        'error_detaching',
        'error_extending',
        'error_restoring',
        'error',
        'awaiting-transfer',
      ],
    },
    set: { status: 'error' },
    unset: [...transferFields, ...restoreFields],
    endsTransfer: true,
  },
  /** It exists again. */
  markFound: {
    from: { status: ['error'], attachStatus: ['detached'] },
    set: { status: 'available' },
    unset: ['fault', 'migration'],
    endsMigration: true,
  },
  markFoundAttached: {
    from: { status: ['error'], attachStatus: ['attached'] },
    set: { status: 'in-use' },
    unset: ['fault', 'migration'],
    endsMigration: true,
  },
  /** Its export runs for hosts although Redis has lost the attachment: it is recorded again. */
  restoreAttachment: {
    from: { status: ['available', 'reserved', 'awaiting-transfer'], attachStatus: ['detached'] },
    set: { status: 'in-use', attachStatus: 'attached' },
    unset: transferFields,
    endsTransfer: true,
  },
  /** The same of one of several. */
  restoreFurther: { from: { status: ['in-use'], attachStatus: ['attached'] } },
  /** Its target has it at another address than before, as its node has other flags. */
  readdress: {},
  /** Its storage has another size, after Redis has lost an extension. */
  resize: {},
  /** A long step has come further, or is being retried. */
  progress: {},
} as const satisfies Record<string, Transition>;

export type TransitionName = keyof typeof transitions;
