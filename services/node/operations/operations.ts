import type { OperationName } from '../../../lib/models/transitions.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Operation } from './operation.ts';
import {
  discardStorage,
  exportUnattached,
  exportVolume,
  makeStorage,
  removeExport,
  removeStorage,
  spareStorage,
} from './steps.ts';

const create: Operation = {
  name: 'create',
  lane: 'short',
  isDue: (volume) => volume.status === 'creating',
  steps: [makeStorage, exportVolume],
  undo: [spareStorage, removeExport, discardStorage],
  finish: 'finishCreate',
  fail: 'failCreate',
  failKept: 'failCreateKept',
};

const deletion: Operation = {
  name: 'delete',
  lane: 'long',
  isDue: (volume) => volume.status === 'deleting',
  steps: [removeExport, removeStorage],
  undo: [],
  finish: 'finishDelete',
  fail: 'failDelete',
};

const attach: Operation = {
  name: 'attach',
  lane: 'short',
  isDue: (volume) => volume.attachStatus === 'attaching',
  steps: [exportVolume],
  undo: [exportUnattached],
  finish: 'finishAttach',
  fail: 'failAttach',
};

const detach: Operation = {
  name: 'detach',
  lane: 'short',
  isDue: (volume) => volume.attachStatus === 'detaching',
  steps: [exportUnattached],
  undo: [],
  finish: 'finishDetach',
  fail: 'failDetach',
};

/** Every operation that a command can ask for. */
export const operations: Readonly<Record<OperationName, Operation>> = { create, delete: deletion, attach, detach };

/** The operation that a record in a transitional status asks for. */
export function dueOperation(volume: VolumeState): Operation | undefined {
  return Object.values(operations).find((operation) => operation.isDue(volume));
}
