import { type GroupTaskKind, type TaskKind, isGroupTask } from '../../../lib/models/task.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { copyFromBackup, discardBackup, storeBackup } from './backup-steps.ts';
import { copyFromImage, discardImage, uploadImage } from './image-steps.ts';
import {
  acceptStorage,
  addressAtArrival,
  arrivalFailure,
  copyToDestination,
  exportAgain,
  exportArrived,
  failureOfLeaving,
  handOver,
  keepStorage,
  retireStorage,
  staysUndecided,
} from './migration-steps.ts';
import type { Operation } from './operation.ts';
import { labelOwner, labelSnapshot } from './relabel-steps.ts';
import { examineStorage, exportRestored, recordRestored, restoreData } from './restore-steps.ts';
import { sendOrigin } from './send-origin.ts';
import { createSnapshot, discardSnapshot, removeSnapshot, removeSnapshots } from './snapshot-steps.ts';
import {
  activateStorage,
  adjustExport,
  allocateAddress,
  createStorage,
  discardStorage,
  exportNew,
  extendStorage,
  issueSecret,
  labelStorage,
  leaveForeignAddress,
  refuseLaterStorage,
  refuseToDiscardExisting,
  refuseUncheckedAddress,
  releaseAddress,
  removeExport,
  removeStorage,
  recordGrowth,
  resizeExport,
  withdrawExport,
} from './steps.ts';

const none: ReadonlySet<string> = new Set();

const create: Operation = {
  name: 'create',
  queue: 'short',
  steps: [allocateAddress, createStorage, copyFromImage, copyFromBackup, exportNew],
  undo: [refuseToDiscardExisting, removeExport, discardStorage, releaseAddress],
  finish: 'finishCreate',
  fail: 'failCreate',
  refusal: { codes: new Set(['VolumeExists']), transition: 'refuseCreate' },
  handsBack: new Set([
    'NoSpace',
    'NoMoreVolumes',
    'BackendUnavailable',
    'InterfaceDown',
    'DiscoveryFailed',
    'DiscoveryIncomplete',
  ]),
};

/** Of a volume on another backend than what it is made from: on the node of that. */
const createElsewhere: Operation = {
  name: 'create',
  queue: 'long',
  steps: [sendOrigin],
  undo: [],
  finish: 'leaveNew',
  endsWith: handOver,
  fail: 'failCreate',
  handsBack: none,
};

/** On the node that has the volume then. */
const createdArrival: Operation = {
  name: 'create',
  queue: 'short',
  steps: [addressAtArrival, acceptStorage, exportNew],
  undo: [],
  finish: 'finishCreate',
  fail: 'failCreate',
  failsWith: arrivalFailure,
  handsBack: none,
};

const deletion: Operation = {
  name: 'delete',
  queue: 'long',
  steps: [refuseLaterStorage, removeExport, removeSnapshots, removeStorage],
  undo: [],
  isOfAllSnapshots: ({ deletesSnapshots }) => deletesSnapshots,
  endsSnapshots: { fail: 'error_deleting' },
  finish: 'finishDelete',
  fail: 'failDelete',
  refusal: { codes: new Set(['VolumeExists']), transition: 'refuseDelete' },
  handsBack: none,
};

const attach: Operation = {
  name: 'attach',
  queue: 'short',
  usesData: true,
  steps: [allocateAddress, issueSecret, activateStorage, labelStorage, refuseUncheckedAddress, adjustExport],
  undo: [withdrawExport],
  ofAttachment: { finish: 'attached', fail: 'removed' },
  finish: 'finishAttach',
  fail: 'failAttach',
  handsBack: none,
};

const detach: Operation = {
  name: 'detach',
  queue: 'short',
  steps: [withdrawExport, leaveForeignAddress],
  undo: [],
  ofAttachment: { finish: 'removed', fail: 'attached' },
  finish: 'finishDetach',
  fail: 'failDetach',
  handsBack: none,
};

const extend: Operation = {
  name: 'extend',
  queue: 'short',
  usesData: true,
  steps: [extendStorage, resizeExport],
  undo: [recordGrowth],
  finish: 'finishExtend',
  fail: 'failExtend',
  handsBack: none,
};

const snapshot: Operation = {
  name: 'snapshot',
  queue: 'long',
  usesData: true,
  sparesVolume: true,
  steps: [createSnapshot],
  undo: [discardSnapshot],
  ofSnapshot: { finish: 'available', fail: 'error' },
  finish: 'finishSnapshot',
  fail: 'failSnapshot',
  handsBack: none,
};

const deleteSnapshot: Operation = {
  name: 'delete-snapshot',
  queue: 'long',
  sparesVolume: true,
  steps: [removeSnapshot],
  undo: [],
  ofSnapshot: { finish: 'removed', fail: 'error_deleting' },
  finish: 'finishDeleteSnapshot',
  fail: 'failDeleteSnapshot',
  handsBack: none,
};

const upload: Operation = {
  name: 'upload',
  queue: 'long',
  usesData: true,
  sparesVolume: true,
  steps: [activateStorage, uploadImage],
  undo: [discardImage],
  finish: 'finishUpload',
  fail: 'failUpload',
  handsBack: none,
};

const backup: Operation = {
  name: 'backup',
  queue: 'long',
  usesData: true,
  sparesVolume: true,
  steps: [activateStorage, storeBackup],
  undo: [discardBackup],
  finish: 'finishBackup',
  fail: 'failBackup',
  handsBack: none,
};

/** After a transfer to another project. */
const relabel: Operation = {
  name: 'relabel',
  queue: 'short',
  usesData: true,
  steps: [labelOwner],
  undo: [],
  isOfAllSnapshots: () => true,
  finish: 'finishRelabel',
  fail: 'failRelabel',
  handsBack: none,
};

const rename: Operation = {
  name: 'rename',
  queue: 'short',
  usesData: true,
  sparesVolume: true,
  steps: [labelOwner, labelSnapshot],
  undo: [],
  finish: 'finishRename',
  fail: 'failRename',
  handsBack: none,
};

const restore: Operation = {
  name: 'restore',
  queue: 'long',
  steps: [examineStorage, activateStorage, restoreData, exportRestored],
  undo: [],
  isOfAllSnapshots: ({ restoreFrom }) => restoreFrom?.kind === 'snapshot',
  finish: 'finishRestore',
  endsWith: recordRestored,
  fail: 'failRestore',
  failure: ({ partly }) =>
    partly === ''
      ? { transition: 'refuseRestore', isRequesters: true }
      : { transition: 'failRestore', ...(partly === undefined ? {} : { set: { restoreFrom: partly } }) },
  handsBack: none,
};

/** On the node that the volume leaves. */
const migrate: Operation = {
  name: 'migrate',
  queue: 'long',
  usesData: true,
  sparesVolume: true,
  steps: [copyToDestination, retireStorage],
  undo: [keepStorage, exportAgain],
  finish: 'leave',
  endsWith: handOver,
  fail: 'failMigrate',
  postpones: staysUndecided,
  failure: failureOfLeaving,
  handsBack: none,
};

/** On the node that has the volume then. */
const arrival: Operation = {
  name: 'migrate',
  queue: 'short',
  usesData: true,
  steps: [addressAtArrival, acceptStorage, exportArrived],
  undo: [],
  finish: 'finishMigrate',
  fail: 'failArrival',
  failsWith: arrivalFailure,
  handsBack: none,
};

/** Every operation, by the task that asks for it. */
const operations: Readonly<Record<Exclude<TaskKind, GroupTaskKind>, Operation>> = {
  create,
  delete: deletion,
  attach,
  detach,
  extend,
  snapshot,
  'delete-snapshot': deleteSnapshot,
  upload,
  relabel,
  rename,
  migrate,
  backup,
  restore,
};

/** Undefined for a task that several volumes have at once: see groupOperations. */
export function operationOf({ task, isSent }: Pick<VolumeState, 'task' | 'isSent'>): Operation | undefined {
  if (!task || isGroupTask(task.kind)) return undefined;
  const { kind, copied } = task;
  if (copied !== undefined) return kind === 'create' ? createdArrival : arrival;
  return kind === 'create' && isSent ? createElsewhere : operations[kind];
}
