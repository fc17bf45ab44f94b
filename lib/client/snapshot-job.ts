import { randomUUID } from 'node:crypto';
import { errors } from '../errors.ts';
import type { CapabilityName } from '../drivers/capabilities.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import type { JobKind } from '../models/job-state.ts';
import { jobsOf } from '../models/job.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { isAllowed } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type Edit, type ReplyTo, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { topicOf } from './message.ts';
import type { RequestClient, RequestEnd } from './request-client.ts';
import { maxChanges, refusal } from './start-task.ts';
import type { SendOptions } from './volume-commands.ts';

export interface SnapshotJobRequest {
  kind: JobKind;
  /** The id of the backup or image, which has no data yet. */
  target: string;
  /** Whether it has them: asked where the end of the job was not heard. */
  isDone: () => Promise<boolean>;
  /** Called with the id of the job once it is recorded. */
  onBegin?: (job: string) => void;
}

interface Place {
  store: Store;
  client: RequestClient;
  topic: string;
}

/**
 * Gives the data of a snapshot to a backup or an image. Its volume can be attached, detached, extended meanwhile. Throws SnapshotNotFound,
 * VolumeNotFound, WrongStatus, NotCapable, NodeLost; a call also what kept the node from it.
 */
export function copySnapshot(
  place: Place,
  snapshot: string,
  request: SnapshotJobRequest,
  options: SendOptions,
): Promise<void> {
  const plan = () => ofSnapshot(place.store, snapshot, request.kind);
  return carryOut(place, { what: `snapshot ${snapshot}`, plan }, request, options);
}

/**
 * Gives the data that a volume has at one moment, also while it is attached, to a backup or an image, by a snapshot that is there for that
 * alone: the node takes it, and deletes it at the end. Throws VolumeNotFound, WrongStatus, NotCapable, NodeLost; a call also what kept the
 * node from it.
 */
export function copyAttached(
  place: Place,
  volume: string,
  request: SnapshotJobRequest,
  options: SendOptions,
): Promise<void> {
  const plan = () => ofVolume(place.store, volume, request.kind);
  return carryOut(place, { what: `volume ${volume}`, plan }, request, options);
}

/** What a job reads, as it is at that moment. */
interface Plan {
  volume: VolumeState;
  set: Readonly<Record<string, string>>;
  edits: readonly Edit[];
}

async function carryOut(
  { store, client, topic }: Place,
  { what, plan }: { what: string; plan: () => Promise<Plan> },
  request: SnapshotJobRequest,
  { deadlineMs, recording }: SendOptions,
): Promise<void> {
  const { kind, isDone, onBegin } = request;
  const id = randomUUID();
  const send = async (to?: ReplyTo) => {
    await begin(store, { id, what, topic }, plan, request, { to, signal: recording?.signal });
    onBegin?.(id);
    recording?.onRecorded();
  };
  if (deadlineMs === undefined) return send();
  const end = await client.call({
    deadlineMs,
    send,
    poll: async (): Promise<RequestEnd | undefined> => {
      if (await jobsOf(store).find(id)) return undefined;
      return (await isDone()) ? {} : { fault: errors.jobLost(what, kind) };
    },
  });
  if (!end) throw errors.jobNotFinished(what, kind, deadlineMs);
  if ('fault' in end) throw end.fault;
}

async function begin(
  store: Store,
  { id, what, topic }: { id: string; what: string; topic: string },
  plan: () => Promise<Plan>,
  { kind, target }: SnapshotJobRequest,
  { to, signal }: { to: ReplyTo | undefined; signal: AbortSignal | undefined },
): Promise<void> {
  for (let change = 0; change < maxChanges; change += 1) {
    const { volume, set, edits } = await plan();
    signal?.throwIfAborted();
    const { node } = volume;
    const asked = { ...(store.by === '' ? {} : { by: store.by }), ...(to ? { requesters: to } : {}) };
    const outcome = await commit(store, {
      conditions: [{ is: 'notLost', node }],
      edits: [
        {
          kind: 'job',
          id,
          insert: true,
          set: { kind, volume: volume.id, node, target, ...set, ...asked },
          stamp: ['createTime'],
        },
        ...edits,
        { kind: 'volume', id: volume.id, expect: { node } },
      ],
      commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ job: id }) }],
      event: `snapshot.${kind}.start`,
    });
    if (outcome.word === 'ok') return;
    if (outcome.word === 'condition') throw errors.nodeLost(node);
  }
  throw errors.wrongStatus(what, 'being changed', 'no other request at the same time');
}

async function ofSnapshot(store: Store, id: string, kind: JobKind): Promise<Plan> {
  const { volume: volumeId, status, name, projectId, userId } = await snapshotsOf(store).lookup(id);
  if (status !== 'available') throw errors.snapshotNotReady(id, status);
  const volume = await volumesOf(store).lookup(volumeId);
  await requireReadable(store, volume, kind, ['images']);
  const set = { snapshot: id, ...(name === '' ? {} : { name }), projectId, userId };
  return { volume, set, edits: [{ kind: 'snapshot', id, expect: { status } }] };
}

async function ofVolume(store: Store, id: string, kind: JobKind): Promise<Plan> {
  const volume = await volumesOf(store).lookup(id);
  const { projectId, userId, task } = volume;
  await requireReadable(store, volume, kind, ['images', 'snapshots']);
  if (!task && !isAllowed('startSnapshot', volume)) throw await refusal(store, volume, 'startSnapshot');
  return { volume, set: { ownSnapshot: randomUUID(), projectId, userId }, edits: [] };
}

/** Throws VolumeEncrypted, NotCapable. */
async function requireReadable(
  store: Store,
  { id, node, backend, encryptionKey }: VolumeState,
  kind: JobKind,
  needed: readonly CapabilityName[],
): Promise<void> {
  if (kind === 'upload' && encryptionKey !== '') {
    throw errors.encryptedVolume(id, 'an image of it could be read by nobody');
  }
  const [found] = (await backendsOf(store).readAll([backendId(node, backend)])).states;
  const missing = needed.find((capability) => found?.capabilities.includes(capability) === false);
  if (found && missing) throw errors.notCapable(id, found.driver, missing);
}
