import { type BlockstoreError, errors } from '../errors.ts';
import { type VolumeAttachments, afterDetach } from '../models/attachment.ts';
import { backendId } from '../models/backend.ts';
import { storedAddress } from '../models/stored-address.ts';
import { type TaskKind, freesMemory } from '../models/task.ts';
import { type Transition, type TransitionName, transitions } from '../models/transitions.ts';
import { editOf, endedAttachment, endedWith, isAllowed } from '../models/volume-edit.ts';
import { type VolumeState, type VolumeStatus, parseVolume } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type Condition, type Edit, type Outcome, type ReplyTo, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { sizeInBytes } from '../volume-size.ts';
import { isChangingHosts, othersTurnEnded } from './turns.ts';
import { abandonment, abandonmentWithSnapshots } from './abandon.ts';
import { endIfExpired } from './end-transfer.ts';
import { topicOf } from './message.ts';
import { cannotGrow } from './placement.ts';
import { overQuota } from './over-quota.ts';
import { type RequestEnd, failed } from './request-client.ts';
import { takeOver } from './take-over.ts';
import { heldError } from './held.ts';

/** A command that was recorded: the record then, and the end where that was its end. */
export interface Sent {
  volume: VolumeState;
  end?: RequestEnd;
}

/** How a request begins a task of the volume as it is at that moment. */
export interface TaskPlan {
  transition: TransitionName;
  set: Readonly<Record<string, string>>;
  unset?: readonly string[];
  /** Of other records. */
  edits: readonly Edit[];
  /** Further values that the record must have. */
  expect: Readonly<Record<string, string>>;
  conditions?: readonly Condition[];
  /** The very task is under way. */
  isUnderWay: boolean;
  /** Of a detach: the attachments of the volume, with what is kept of the one that it ends. */
  attachments?: VolumeAttachments;
}

export interface StartRequest {
  transition:
    | 'startAttach'
    | 'startDetach'
    | 'startDelete'
    | 'startExtend'
    | 'startSnapshot'
    | 'startDeleteSnapshot'
    | 'startUpload'
    | 'startBackup'
    | 'startRestore'
    | 'startRestoreReserved'
    | 'acceptTransfer'
    | 'startRename';
  kind: TaskKind;
  set?: Readonly<Record<string, string>>;
  unset?: readonly string[];
  /** Instead of a fixed transition with its fields: asked anew whenever the volume has changed. */
  plan?: (volume: VolumeState) => Promise<TaskPlan>;
  /** Until when, by performance.now(), it waits for tasks of other requests: see othersTurnEnded(). */
  waitsUntil?: number;
  /** The address at which the host that is to be attached has looked for devices of earlier volumes. */
  examined?: string | undefined;
  /** Of an extension: the sizes, in GiB, that the volume has and is to have. */
  growth?: { from: number; to: number };
  /** Of a deletion: with its group, which it leaves at once. */
  withGroup?: true;
  /** What is changed and required with it, besides the volume; where that is refused, `refused` says why. */
  also?: { edits: readonly Edit[]; conditions?: readonly Condition[] };
  refused?: (outcome: Outcome) => Promise<Error> | Error;
  topic: string;
  /** What is done at once while the volume's node is declared lost. */
  whenLost: 'refuse' | 'detachLost' | 'abandon' | 'abandonWithSnapshots';
}

/** Record changes that a request meets at most before it gives up: each is the work of another requester or of the node. */
export const maxChanges = 20;

/**
 * Begins a task of a volume with the command to its node, or joins the one of the same kind that is under way with the same
 * arguments. Throws VolumeNotFound, VolumeAttached, VolumeNotAttached, WrongStatus, NodeLost, AddressChanged, SizeChanged, NoSpace,
 * BackendUnavailable.
 */
export async function startTask(store: Store, request: StartRequest, from: VolumeState, to?: ReplyTo): Promise<Sent> {
  const { kind, topic, also, refused, waitsUntil = 0 } = request;
  const { by } = store;
  let volume = from;
  let isLost = false;
  /** Whether another node may take the volume over, where its own is gone. */
  let mayMove = true;
  for (let change = 0; change < maxChanges; change += 1) {
    const plan = request.plan ? await request.plan(volume) : fixedPlan(request, volume);
    const { transition, set, unset = [], edits, conditions = [] } = plan;
    if (request.growth && request.growth.from !== volume.size) throw errors.sizeChanged(volume.id, volume.size);
    if (isAllowed(transition, volume)) refuseUnexamined(volume, request);
    if (kind === 'delete' && volume.group !== '' && !request.withGroup)
      throw errors.volumeInGroup(volume.id, volume.group);
    if (isLost) {
      const ended = await endAtOnce(store, request, plan, volume);
      if (ended) return ended;
      isLost = false; // or the record changed: the next round finds out
    } else if (isAllowed(transition, volume)) {
      const requesters = to ? { requesters: to } : {};
      const outcome = await commit(store, {
        conditions: [
          mayMove ? servedBy(volume) : { is: 'notLost', node: volume.node },
          ...roomFor(volume, request),
          ...(also?.conditions ?? []),
          ...conditions,
        ],
        edits: [
          editOf(volume, transition, {
            set: { ...set, ...requesters, ...(by === '' ? {} : { by }) },
            unset: [...unset, ...(request.withGroup ? ['group'] : [])],
            expect: { ...plan.expect, ...expectedIn(volume, request) },
            task: request.examined === undefined ? {} : { examined: true },
          }),
          ...edits,
          ...endedWith(volume, transition),
        ],
        commands: [{ topic: topicOf(topic, volume.node), message: JSON.stringify({ volume: volume.id }) }],
        returns: true,
        frees: freesMemory(kind),
      });
      if (outcome.word === 'ok') return { volume: parseVolume(volume.id, outcome.records[0] ?? {}) };
      if (outcome.word === 'condition' && outcome.condition.is === 'quota') {
        throw await overQuota(store, outcome.condition);
      }
      const isOfOthers =
        (outcome.word === 'condition' && [...(also?.conditions ?? []), ...conditions].includes(outcome.condition)) ||
        ('edit' in outcome && outcome.edit > 0);
      if (isOfOthers && refused) throw await refused(outcome);
      if (outcome.word === 'condition' && outcome.condition.is === 'freeSpace') {
        throw await cannotGrow(store, outcome.condition);
      }
      if (outcome.word === 'condition') {
        if (mayMove) mayMove = await takeOver(store, volume, topic);
        else isLost = true;
        if (!mayMove) continue;
      }
    } else if (mayMove && volume.task && (await takeOver(store, volume, topic))) {
      // Its task continues on another node: the record says there what becomes of this request.
    } else if (volume.task?.kind === kind && plan.isUnderWay) {
      return joinTask(store, volume, kind, to);
    } else if (await othersTurnEnded(store, volume, { attachment: set['attachment'] ?? '', until: waitsUntil })) {
      change = 0; // of many that wait one begins, and the others meet its change
    } else if (await endIfExpired(store, volume)) {
      // Nobody has accepted its transfer: it is available.
    } else {
      throw await refusal(store, volume, transition);
    }
    const now = await volumesOf(store).find(volume.id);
    if (now) {
      mayMove ||= now.node !== volume.node;
      volume = now;
    } else if (kind === 'delete') return { volume, end: {} };
    else throw errors.volumeNotFound(volume.id);
  }
  throw errors.wrongStatus(volume.id, `${volume.status}, ${volume.attachStatus}`, 'no other request at the same time');
}

function roomFor({ node, backend, projectId }: VolumeState, { growth }: StartRequest): Condition[] {
  if (growth === undefined) return [];
  const bytes = sizeInBytes(growth.to) - sizeInBytes(growth.from);
  return [
    { is: 'quota', project: projectId, bytes },
    { is: 'freeSpace', backend: backendId(node, backend), bytes, grows: true },
  ];
}

function servedBy({ node, backend }: VolumeState): Condition {
  return { is: 'served', node, backend: backendId(node, backend) };
}

/** Statuses of a volume whose fault is of an operation on one that was made. */
const faultsOfLater: ReadonlySet<VolumeStatus> = new Set([
  'available',
  'reserved',
  'in-use',
  'error_attaching',
  'error_detaching',
  'error_extending',
  'error_restoring',
]);

/** Waits for the end of a task that another request began. Without a requester, or where it has ended, nothing is to be done. */
export async function joinTask(store: Store, volume: VolumeState, kind: TaskKind, to?: ReplyTo): Promise<Sent> {
  if (volume.task?.kind !== kind) {
    // That of a later operation says nothing about a create.
    const isOfLater = kind === 'create' && faultsOfLater.has(volume.status);
    return { volume, end: volume.fault && !isOfLater ? failed(volume.fault) : {} };
  }
  if (!to) return { volume };
  // Where it ended just now, the requester's polling sees the end.
  await commit(store, {
    edits: [{ kind: 'volume', id: volume.id, expect: { task: volume.taskText }, join: to }],
    frees: freesMemory(kind),
  });
  return { volume };
}

function fixedPlan({ transition, kind, set = {}, unset = [], also }: StartRequest, volume: VolumeState): TaskPlan {
  return { transition, set, unset, edits: also?.edits ?? [], expect: {}, isUnderWay: hasArguments(volume, kind, set) };
}

/** Undefined where the node is no longer lost, or the record changed meanwhile. */
async function endAtOnce(
  store: Store,
  request: StartRequest,
  { transition, expect, set, attachments = { states: [], missing: [] } }: TaskPlan,
  volume: VolumeState,
): Promise<Sent | undefined> {
  const { whenLost } = request;
  if (whenLost === 'refuse') throw errors.nodeLost(volume.node);
  if (whenLost === 'detachLost' ? !isAllowed('detachLost', volume) : !mayAbandon(volume))
    throw await refusal(store, volume, transition);
  const { attachment = '' } = set;
  const change =
    whenLost === 'detachLost'
      ? {
          edits: [
            editOf(volume, 'detachLost', {
              expect,
              remaining: afterDetach(attachments, attachment),
              fault: errors.nodeLost(volume.node).toFault(),
            }),
            endedAttachment(attachments, attachment),
          ],
        }
      : await (whenLost === 'abandon' ? abandonment : abandonmentWithSnapshots)(store, volume);
  const conditions = whenLost === 'abandonWithSnapshots' ? [] : (request.also?.conditions ?? []);
  const outcome = await commit(store, {
    ...change,
    event: `volume.${request.kind}.lost`,
    frees: true,
    conditions: [{ is: 'lost', node: volume.node }, ...(change.conditions ?? []), ...conditions],
    replies: [{ edit: 0 }],
    returns: true,
  });
  const isOfRequest = outcome.word === 'condition' && outcome.condition.is !== 'lost';
  if (isOfRequest && request.refused) throw await request.refused(outcome);
  if (outcome.word !== 'ok') return undefined;
  const [record] = outcome.records;
  return { volume: record ? parseVolume(volume.id, record) : volume, end: record ? { record } : {} };
}

function mayAbandon({ attachStatus }: VolumeState): boolean {
  return attachStatus === 'detached';
}

/** Whether the task that is under way has the arguments of this request. */
function hasArguments(volume: VolumeState, kind: TaskKind, set: Readonly<Record<string, string>>): boolean {
  if (kind === 'extend') return String(volume.newSize) === set['newSize'];
  if (kind === 'relabel') return false; // that of another acceptance: a transfer is accepted once
  if (kind === 'snapshot' || kind === 'delete-snapshot') return volume.snapshot === set['snapshot'];
  if (kind === 'upload') return volume.image === set['image'];
  if (kind === 'backup') return volume.backup === set['backup'];
  // A snapshot has its new name in its own record.
  if (kind === 'rename') return volume.snapshot === '' && volume.name === (set['name'] ?? '') && !('snapshot' in set);
  return true;
}

/** The volume may get an address, or another project, between the read of its record and the change. */
function expectedIn(
  { id, projectId, group }: VolumeState,
  { kind, examined, growth }: StartRequest,
): Record<string, string> {
  return {
    ...(growth ? { projectId } : {}), // whose quota was asked
    ...(kind === 'delete' ? { group } : {}),
    ...(examined === undefined ? {} : { address: storedAddress(id, examined) }),
  };
}

/** A volume that was being created when its host looked had no address yet. Throws AddressChanged. */
function refuseUnexamined({ id, address }: VolumeState, { examined }: StartRequest): void {
  if (examined !== undefined && examined !== address) throw errors.addressChanged(id, examined, address);
}

const ofAttachments: ReadonlySet<TransitionName> = new Set(['startAttach', 'startDetach', 'reserve']);

const needsDetached: ReadonlySet<TransitionName> = new Set([
  'startAttach',
  'startDelete',
  'startTransfer',
  'startRestore',
  'startRestoreReserved',
]);

/** Returns why a volume in this state may not go through the transition. */
export async function refusal(store: Store, volume: VolumeState, name: TransitionName): Promise<BlockstoreError> {
  const { id, status, attachStatus, task, transfer } = volume;
  if (name === 'startDetach' && attachStatus === 'detached') return errors.volumeNotAttached(id);
  if (status === 'awaiting-transfer' && name !== 'acceptTransfer') return errors.awaitsTransfer(id, transfer);
  if (ofAttachments.has(name) && task && isChangingHosts(volume)) {
    return errors.wrongStatus(id, `${status}, with its ${task.kind} under way`, 'no other request at the same time');
  }
  if (name === 'startDetach' && task?.kind === 'migrate') return errors.detachedWhileMigrating(id);
  if (name === 'startDetach' && attachStatus !== 'attached') return errors.wrongStatus(id, attachStatus, 'attached');
  if (attachStatus !== 'detached' && needsDetached.has(name)) {
    return heldError(store, volume);
  }
  if (status === 'reserved' && !task) return heldError(store, volume);
  const { from = {} }: Transition = transitions[name];
  const required = [...(from.status ?? []), ...(from.attachStatus ?? [])].join(' or ');
  return task
    ? errors.wrongStatus(id, `${status}, with its ${task.kind} under way`, required)
    : errors.statusRefused(id, status, required);
}
