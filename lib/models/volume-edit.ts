import { pooledAddress } from '../aoe/address.ts';
import type { Fault } from '../errors.ts';
import type { Edit } from '../redis/scripts.ts';
import { type VolumeAttachments, isAttachedBy, rightsFor, rightsSet } from './attachment.ts';
import { limitsSet, noLimits } from './limits.ts';
import { type Task, taskKey, writeTask } from './task.ts';
import { type Transition, type TransitionName, transitions } from './transitions.ts';
import { taskFields } from './volume-fields.ts';
import type { AttachStatus, VolumeState, VolumeStatus } from './volume-state.ts';

export interface EditOptions {
  set?: Readonly<Record<string, string>>;
  /** Besides what the transition itself unsets. */
  unset?: readonly string[];
  fault?: Fault;
  /** An address that another node lent it until now: it rests there. */
  rest?: string;
  /** Values that further fields must have; '' = absent. */
  expect?: Readonly<Record<string, string>>;
  /** The attachments that the volume has still, where one ends. Default: none. */
  remaining?: VolumeAttachments;
  /** Of the task that begins. `key`: where several volumes have the same. */
  task?: Omit<Task, 'kind' | 'key'> & { key?: string };
}

/** Returns whether a volume in this state may go through the transition. */
export function isAllowed(name: TransitionName, volume: VolumeState): boolean {
  const { from, during }: Transition = transitions[name];
  if (during !== undefined) return volume.task?.kind === during;
  if (from === undefined) return true;
  if (volume.task && name !== 'detachLost' && name !== 'unreserve') return false;
  return (from.status?.includes(volume.status) ?? true) && (from.attachStatus?.includes(volume.attachStatus) ?? true);
}

/** Returns what an edit expects of a record that is still as it was read: another node may have taken the volume over meanwhile. */
export function stateOf({ node, status, attachStatus, taskText }: VolumeState): Record<string, string> {
  return { node, status, attachStatus, task: taskText };
}

/**
 * Returns what goes with that change besides, where Redis has it still: the record of a transfer that ends, those of attachments of a volume
 * that goes; that of a migration stays until the destination has removed what it has of the volume.
 */
export function endedWith({ transfer, migration, attachments }: VolumeState, name: TransitionName): Edit[] {
  const { endsTransfer, endsMigration, remove }: Transition = transitions[name];
  return [
    ...(endsTransfer && transfer !== ''
      ? [{ kind: 'transfer', id: transfer, remove: true, optional: true } as const]
      : []),
    ...(endsMigration && migration !== ''
      ? [{ kind: 'migration', id: migration, set: { isCancelled: 'true' }, optional: true } as const]
      : []),
    ...(remove ? attachments.map(removedAttachment) : []),
  ];
}

/** Returns the edit that removes the record of an attachment, where Redis has it still. */
export function removedAttachment(id: string): Edit {
  return { kind: 'attachment', id, remove: true, optional: true };
}

/** The same of a snapshot. */
export function removedSnapshot(id: string): Edit {
  return { kind: 'snapshot', id, remove: true, optional: true };
}

/** What the record of an attachment has of a host, which releases the volume. */
const fieldsOfHost = ['hostName', 'hostId', 'domain', 'libvirtUri', 'hosts', 'completeTime'] as const;

/** Returns the edit that ends an attachment, of these: one that is kept is reserved again. */
export function endedAttachment({ states }: VolumeAttachments, id: string): Edit {
  if (!states.some((one) => one.id === id && one.isKept)) return removedAttachment(id);
  return { kind: 'attachment', id, set: { status: 'reserved' }, unset: [...fieldsOfHost, 'kept'], optional: true };
}

/**
 * Returns the edit that takes a volume through a transition; it is refused as `changed` where the record's node, statuses or task are
 * no longer those of `volume`, or a further field has not the expected value.
 */
export function editOf(volume: VolumeState, name: TransitionName, options: EditOptions = {}): Edit {
  const transition: Transition = transitions[name];
  const { begins, ends, remove, leaves, settles, stamp, endsAttachment } = transition;
  const staysInError = isKeptInError(volume, transition);
  const { status: _, ...others } = transition.set ?? {};
  const left = withoutEmpty(endsAttachment ? fieldsOfRest(volume, options.remaining ?? none) : {});
  const status = statusAfter(volume, transition, options);
  // What is derived from its attachments is of those that it has.
  const derives =
    endsAttachment === true ||
    transition.set?.status === 'available' ||
    (settles === true && volume.attachStatus === 'detached') ||
    options.set?.['attachments'] !== undefined;
  const attachments = derives ? { attachments: volume.attachments.join(',') } : {};
  const fault = options.fault && !staysInError ? { fault: JSON.stringify(options.fault) } : {};
  const set = {
    ...(status === undefined || staysInError ? {} : { status }),
    ...others,
    ...left.set,
    ...options.set,
    ...fault,
    ...(begins ? { task: writeTask({ kind: begins, key: taskKey(), ...options.task }) } : {}),
  };
  const movesAddress = leaves === true && volume.attachStatus !== 'detached';
  const isKept = (field: string) => (staysInError && field === 'fault') || (movesAddress && field === 'address');
  const unset = [
    ...(transition.unset ?? []).filter((field) => !isKept(field)),
    ...(options.unset ?? []),
    ...(ends || begins ? taskFields : []),
    ...left.unset,
  ].filter((field) => !(field in set));
  const rest = remove || (leaves && !movesAddress) ? volume.address : (options.rest ?? '');
  return {
    kind: 'volume',
    id: volume.id,
    expect: { ...stateOf(volume), ...attachments, ...options.expect },
    ...(remove ? { remove } : {}),
    ...(rest === '' ? {} : { rest: pooledAddress(rest) }),
    set,
    ...(unset.length > 0 ? { unset } : {}),
    ...(stamp ? { stamp } : {}),
  };
}

const none: VolumeAttachments = { states: [], missing: [] };

function isKeptInError({ status }: VolumeState, { keepsError }: Transition): boolean {
  return keepsError === true && status === 'error';
}

/** Returns the statuses of a volume after that change. */
export function statusesAfter(
  volume: VolumeState,
  name: TransitionName,
  options: EditOptions = {},
): Pick<VolumeState, 'status' | 'attachStatus'> {
  const transition: Transition = transitions[name];
  const { set = {}, endsAttachment } = transition;
  const status = isKeptInError(volume, transition) ? undefined : statusAfter(volume, transition, options);
  const attachStatus = endsAttachment ? attachStatusOf(volume, options.remaining ?? none) : set.attachStatus;
  return { status: status ?? volume.status, attachStatus: attachStatus ?? volume.attachStatus };
}

/** A volume whose attachments are all reserved is `reserved` where it would be available. */
function statusAfter(
  volume: VolumeState,
  { set = {}, settles, endsAttachment }: Transition,
  { remaining = none, set: given = {}, unset = [] }: EditOptions,
): VolumeStatus | undefined {
  if (settles && volume.attachStatus !== 'detached') return 'in-use';
  const { status = settles ? 'available' : undefined } = set;
  if (endsAttachment && status !== 'error') {
    if (isAttachedBy(volume, remaining)) return 'in-use';
    return remaining.states.length + remaining.missing.length > 0 ? 'reserved' : status;
  }
  const left = unset.includes('attachments') ? '' : (given['attachments'] ?? volume.attachments.join(','));
  return status === 'available' && left !== '' ? 'reserved' : status;
}

function attachStatusOf(volume: VolumeState, remaining: VolumeAttachments): AttachStatus {
  return isAttachedBy(volume, remaining) ? 'attached' : 'detached';
}

/** What a record has of the attachments that are left: with none of a host, no secret either. '' = absent. */
function fieldsOfRest(volume: VolumeState, remaining: VolumeAttachments): Record<string, string> {
  const attachStatus = attachStatusOf(volume, remaining);
  const left = new Set([...remaining.states.map(({ id }) => id), ...remaining.missing]);
  return {
    attachments: volume.attachments.filter((id) => left.has(id)).join(','),
    announced: left.has(volume.announced?.attachment ?? '') ? volume.announcedText : '',
    ...rightsSet(rightsFor(volume, remaining)),
    attachStatus,
    ...(attachStatus === 'attached' ? {} : { chap: '', ...limitsSet(noLimits) }),
  };
}

/** Returns what an edit sets and unsets for a record with these fields; '' = absent. */
export function withoutEmpty(fields: Readonly<Record<string, string>>): {
  set: Record<string, string>;
  unset: string[];
} {
  return {
    set: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')),
    unset: Object.entries(fields).flatMap(([name, value]) => (value === '' ? [name] : [])),
  };
}
