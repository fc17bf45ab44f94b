import { randomUUID } from 'node:crypto';
import { errors } from '../errors.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import type { JobKind } from '../models/job-state.ts';
import { jobsOf } from '../models/job.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { volumesOf } from '../models/volume.ts';
import { type ReplyTo, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { topicOf } from './message.ts';
import type { RequestClient, RequestEnd } from './request-client.ts';
import { maxChanges } from './start-task.ts';
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

/**
 * Gives the data of a snapshot to a backup or an image. Its volume can be attached, detached, extended meanwhile. Throws SnapshotNotFound,
 * VolumeNotFound, WrongStatus, NotCapable, NodeLost; a call also what kept the node from it.
 */
export async function copySnapshot(
  { store, client, topic }: { store: Store; client: RequestClient; topic: string },
  snapshot: string,
  request: SnapshotJobRequest,
  { deadlineMs }: SendOptions,
): Promise<void> {
  const { kind, isDone, onBegin } = request;
  const id = randomUUID();
  const send = async (to?: ReplyTo) => {
    await begin(store, { id, snapshot, topic }, request, to);
    onBegin?.(id);
  };
  if (deadlineMs === undefined) return send();
  const end = await client.call({
    deadlineMs,
    send,
    poll: async (): Promise<RequestEnd | undefined> => {
      if (await jobsOf(store).find(id)) return undefined;
      return (await isDone()) ? {} : { fault: errors.jobLost(snapshot, kind) };
    },
  });
  if (!end) throw errors.snapshotNotFinished(snapshot, kind, Math.round(deadlineMs / 1000));
  if ('fault' in end) throw end.fault;
}

async function begin(
  store: Store,
  { id, snapshot: snapshotId, topic }: { id: string; snapshot: string; topic: string },
  { kind, target }: SnapshotJobRequest,
  to: ReplyTo | undefined,
): Promise<void> {
  for (let change = 0; change < maxChanges; change += 1) {
    const snapshot = await snapshotsOf(store).lookup(snapshotId);
    if (snapshot.status !== 'available') throw errors.snapshotNotReady(snapshotId, snapshot.status);
    const { id: volume, node, backend, encryptionKey } = await volumesOf(store).lookup(snapshot.volume);
    if (kind === 'upload' && encryptionKey !== '') {
      throw errors.encryptedVolume(volume, 'an image of it could be read by nobody');
    }
    const [found] = (await backendsOf(store).readAll([backendId(node, backend)])).states;
    if (found && !found.capabilities.includes('images')) throw errors.notCapable(volume, found.driver, 'images');
    const { name, projectId, userId } = snapshot;
    const asked = { ...(store.by === '' ? {} : { by: store.by }), ...(to ? { requesters: to } : {}) };
    const shown = { ...(name === '' ? {} : { name }), projectId, userId };
    const outcome = await commit(store, {
      conditions: [{ is: 'notLost', node }],
      edits: [
        {
          kind: 'job',
          id,
          insert: true,
          set: { kind, snapshot: snapshotId, volume, node, target, ...shown, ...asked },
          stamp: ['createTime'],
        },
        { kind: 'snapshot', id: snapshotId, expect: { status: snapshot.status } },
        { kind: 'volume', id: volume, expect: { node } },
      ],
      commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ job: id }) }],
      event: `snapshot.${kind}.start`,
    });
    if (outcome.word === 'ok') return;
    if (outcome.word === 'condition') throw errors.nodeLost(node);
  }
  throw errors.snapshotNotReady(snapshotId, 'being changed');
}
