import { demandsOf } from '../../../lib/client/demands.ts';
import { place } from '../../../lib/client/placement.ts';
import { topicOf } from '../../../lib/client/message.ts';
import { type BlockstoreError, asError, errors } from '../../../lib/errors.ts';
import { backendId } from '../../../lib/models/backend.ts';
import { taskKey, writeTask } from '../../../lib/models/task.ts';
import { editOf } from '../../../lib/models/volume-edit.ts';
import { type VolumeState, isFilled } from '../../../lib/models/volume-state.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { NodeLease } from '../lease.ts';
import { faultOf } from './fault-of.ts';

export interface HandBackOptions {
  store: Store;
  lease: NodeLease;
  topic: string;
}

/**
 * Places a volume that its backend could not take on another one, of the same node where the requester named that; where none is left,
 * the creation ends with `reason`: with nothing left behind where somebody waits for it, else in status `error`. Returns what became of
 * it. Throws Fenced.
 */
export async function handBack(
  { store, lease, topic }: HandBackOptions,
  volume: VolumeState,
  reason: BlockstoreError,
): Promise<string> {
  const { id, size, task } = volume;
  const tried = [...(task?.tried ?? []), backendId(volume.node, volume.backend)];
  const pin = task?.pinned ? { pinned: task.pinned, onNode: task.onNode } : {};
  if (!task?.pinned || task.onNode) {
    try {
      const request = {
        size,
        tried,
        demands: await demandsOf(store, volume),
        ...(task?.onNode ? { node: volume.node } : {}),
        ...(isFilled(volume) ? { needs: 'images' as const } : {}),
      };
      const placed = await place(store, request, (backend) => ({
        owner: lease.token,
        edits: [
          {
            kind: 'volume',
            id,
            expect: { task: volume.taskText },
            set: {
              node: backend.node,
              backend: backend.name,
              availabilityZone: backend.availabilityZone,
              task: writeTask({ kind: 'create', key: taskKey(), tried, ...pin }),
            },
            unset: ['address', 'step', 'attempts'],
          },
        ],
        commands: [{ topic: topicOf(topic, backend.node), message: JSON.stringify({ volume: id }) }],
      }));
      if ('backend' in placed) return `placed on ${placed.backend.id}`;
      if (placed.word === 'Fenced') throw errors.fenced(lease.node);
      return 'no longer under way';
    } catch (thrown) {
      const error = asError(thrown);
      if (error.kind !== 'exhausted' && !['NoNodeUp', 'NoUsableBackend', 'TypeNotFound'].includes(error.code))
        throw error;
    }
  }
  const hasRequesters = await store.read((redis) => redis.hexists(store.keys.volume(id), 'requesters'));
  const fault = faultOf(reason, volume);
  const outcome = await commit(store, {
    owner: lease.token,
    edits: [
      hasRequesters
        ? { kind: 'volume', id, remove: true, expect: { task: volume.taskText } }
        : editOf(volume, 'failCreate', { fault }),
    ],
    replies: [{ edit: 0, fault }],
    frees: true,
  });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  return hasRequesters ? 'ended' : 'in error';
}
