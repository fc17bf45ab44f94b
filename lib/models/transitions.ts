import type { AttachStatus, VolumeStatus } from './volume-state.ts';

/** What a node does to a volume; the names of commands. */
export const operationNames = ['create', 'delete', 'attach', 'detach'] as const;
export type OperationName = (typeof operationNames)[number];

export interface Transition {
  from: { status?: readonly VolumeStatus[]; attachStatus?: readonly AttachStatus[] };
  set?: { status?: VolumeStatus; attachStatus?: AttachStatus; attachTime?: '@now' };
  unset?: readonly string[];
  /** The record goes, with its index entries and its number. */
  remove?: true;
  giveNumber?: true;
  cancelUnplaced?: true;
  /** What the owner must now do: appended to its topic in the same write. */
  operation?: OperationName;
  /** A volume in error stays so, with its fault: only its attachment changes. */
  keepsError?: true;
  /** What is done at once, in place of all that, while the owner is declared lost. `forget`: it is removed when its node is back. */
  whenLost?: { set?: { attachStatus?: AttachStatus }; unset?: readonly string[]; forget?: true };
}

/** Fields of a record that go with its attachment. */
export const attachment = [
  'instanceId',
  'hostName',
  'hostId',
  'domain',
  'mountpoint',
  'attachMode',
  'attachMacs',
  'attachTime',
] as const;

/** Every allowed change of a volume's status. The script checks `from` and writes the rest at once, or refuses. */
export const transitions = {
  finishCreate: { from: { status: ['creating'] }, set: { status: 'available' }, unset: ['fault', 'progress'] },
  failCreate: { from: { status: ['creating'] }, set: { status: 'error' }, giveNumber: true, unset: ['progress'] },
  failCreateKept: { from: { status: ['creating'] }, set: { status: 'error' }, unset: ['progress'] },
  startAttach: {
    from: { status: ['available', 'error_attaching'], attachStatus: ['detached'] },
    set: { status: 'in-use', attachStatus: 'attaching', attachTime: '@now' },
    unset: ['fault'],
    operation: 'attach',
  },
  finishAttach: { from: { attachStatus: ['attaching'] }, set: { attachStatus: 'attached' }, unset: ['fault'] },
  failAttach: {
    from: { attachStatus: ['attaching'] },
    set: { status: 'error_attaching', attachStatus: 'detached' },
    unset: attachment,
  },
  startDetach: {
    from: { attachStatus: ['attached', 'detaching'] },
    set: { status: 'in-use', attachStatus: 'detaching' },
    unset: ['fault'],
    keepsError: true,
    operation: 'detach',
    whenLost: { set: { attachStatus: 'detached' }, unset: attachment },
  },
  finishDetach: {
    from: { attachStatus: ['detaching'] },
    set: { status: 'available', attachStatus: 'detached' },
    unset: ['fault', ...attachment],
    keepsError: true,
  },
  failDetach: {
    from: { attachStatus: ['detaching'] },
    set: { status: 'error_detaching', attachStatus: 'attached' },
    keepsError: true,
  },
  startDelete: {
    from: {
      status: ['available', 'error', 'error_deleting', 'error_attaching', 'deleting'],
      attachStatus: ['detached'],
    },
    set: { status: 'deleting' },
    unset: ['fault', 'progress'],
    cancelUnplaced: true,
    operation: 'delete',
    whenLost: { forget: true },
  },
  finishDelete: { from: { status: ['deleting'] }, remove: true },
  failDelete: { from: { status: ['deleting'] }, set: { status: 'error_deleting' }, unset: ['progress'] },
  /** Storage that a record names is not there. */
  lose: {
    from: { status: ['available', 'in-use', 'error_attaching', 'error_detaching', 'error'] },
    set: { status: 'error' },
  },
  /** It is there again. */
  findAgain: {
    from: { status: ['error'], attachStatus: ['detached'] },
    set: { status: 'available' },
    unset: ['fault'],
  },
  findAgainAttached: {
    from: { status: ['error'], attachStatus: ['attached'] },
    set: { status: 'in-use' },
    unset: ['fault'],
  },
  /** Progress of a long delete. */
  progress: { from: { status: ['deleting'] } },
} as const satisfies Record<string, Transition>;

export type TransitionName = keyof typeof transitions;
