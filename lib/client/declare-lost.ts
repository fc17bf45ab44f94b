import { type Fault, errors } from '../errors.ts';
import { Semaphore } from '../concurrency.ts';
import { afterDetach, allAttachments } from '../models/attachment.ts';
import { isNodeName } from '../models/node-name.ts';
import { jobsOf } from '../models/job.ts';
import type { MigrationState } from '../models/migration-state.ts';
import { migrationsOf } from '../models/migration.ts';
import type { Unreadable } from '../models/records.ts';
import { editOf, endedAttachment, endedWith } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { isGroupTask } from '../models/task.ts';
import { volumesOf } from '../models/volume.ts';
import { redisTime } from '../redis/redis-time.ts';
import { type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { abandonment, abandonmentWithSnapshots } from './abandon.ts';
import { topicOf } from './message.ts';
import { takeOver } from './take-over.ts';

const concurrency = 16;
/** Record changes that are met at most for one volume. */
const maxChanges = 20;

export interface DeclareLostOptions {
  /** The beginning of the names of topics. */
  topic: string;
  /** Called with the number of volumes done. */
  onProgress?: (done: number) => void;
  /** Called with each volume whose record cannot be read: it stays as it is, and is not counted. */
  onUnreadable?: (record: Unreadable) => void;
}

/**
 * Declares that a node will not be back soon: its daemon, should it still run, changes nothing more, and its volumes say so and hold
 * up nobody until it returns. Returns how many they are. A call that is interrupted is simply repeated. The other fields of the node's
 * record need not be readable. Throws NodeNotFound, NodeUp.
 */
export async function declareLost(
  store: Store,
  name: string,
  { topic, onProgress = () => {}, onUnreadable }: DeclareLostOptions,
): Promise<number> {
  if (!isNodeName(name)) throw errors.noNode(name);
  const time = await redisTime(store);
  const outcome = await commit(store, {
    conditions: [{ is: 'down', node: name }],
    frees: true,
    event: 'node.lost',
    edits: [{ kind: 'node', id: name, set: { token: `${time}-lost`, lost: String(time) } }],
  });
  if (outcome.word === 'absent') throw errors.noNode(name);
  if (outcome.word !== 'ok') throw errors.nodeUp(name);
  const slots = new Semaphore(concurrency);
  const running = new Set<Promise<void>>();
  let count = 0;
  for await (const volume of volumesOf(store).iterate(store.keys.nodeVolumes(name), onUnreadable)) {
    const one = slots.run(() => declareVolumeLost(store, volume, topic)).finally(() => running.delete(one));
    running.add(one);
    if (running.size >= concurrency) await Promise.race(running);
    count += 1;
    onProgress(count);
  }
  await Promise.all(running);
  await endJobs(store, name);
  return count;
}

/** Those who wait for a backup or an image of a snapshot there wait no longer. */
async function endJobs(store: Store, node: string): Promise<void> {
  const fault = errors.nodeLost(node).toFault();
  for await (const { id, kind } of jobsOf(store).iterate(store.keys.nodeJobs(node))) {
    await commit(store, {
      frees: true,
      conditions: [{ is: 'lost', node }],
      edits: [{ kind: 'job', id, remove: true, optional: true }],
      replies: [{ edit: 0, fault }],
      event: `snapshot.${kind}.error`,
    });
  }
}

/** What was under way for a snapshot of the volume has failed as well. */
async function snapshotEnd(store: Store, { snapshot: id, task }: VolumeState, fault: Fault): Promise<Edit[]> {
  const found = id === '' ? undefined : await snapshotsOf(store).find(id);
  if (!found) return [];
  const isDeletion = task?.kind === 'delete-snapshot' || task?.kind === 'delete-group-snapshot';
  const set = { status: isDeletion ? 'error_deleting' : 'error', fault: JSON.stringify(fault) };
  const { groupSnapshot } = found;
  const ofGroup: Edit[] =
    groupSnapshot !== '' && isGroupTask(task?.kind)
      ? [{ kind: 'group-snapshot', id: groupSnapshot, optional: true, set, unset: ['requesters', 'by'] }]
      : [];
  return [{ kind: 'snapshot', id, set }, ...ofGroup];
}

/**
 * Returns the migration of a volume that may have left its storage. The destination keeps what it has, and takes the volume if that is
 * complete; else the label of the storage says later where it is. Read once the node changes nothing more.
 */
async function migrationOfLeaving(store: Store, { migration }: VolumeState): Promise<MigrationState | undefined> {
  const found = migration === '' ? undefined : await migrationsOf(store).find(migration);
  return found?.isLeaving === true && !found.isCancelled ? found : undefined;
}

async function declareVolumeLost(store: Store, from: VolumeState, topic: string): Promise<void> {
  let volume: VolumeState | undefined = from;
  for (let met = 0; volume && met < maxChanges; met += 1) {
    const staysInError = !volume.task && (volume.status === 'error' || volume.status === 'error_deleting');
    if (staysInError) return;
    if (await takeOver(store, volume, topic)) {
      volume = await volumesOf(store).find(volume.id);
      if (volume?.node !== from.node) return;
      continue;
    }
    const isDeleted = volume.task?.kind === 'delete';
    const fault = errors.nodeLost(volume.node).toFault();
    const name = volume.attachStatus === 'attached' ? 'loseNode' : 'loseNodeDetached';
    const kept = await migrationOfLeaving(store, volume);
    const set = kept ? { migration: volume.migration } : {};
    const all = await allAttachments(store, volume);
    const change = isDeleted
      ? await (volume.deletesSnapshots ? abandonmentWithSnapshots : abandonment)(store, volume)
      : {
          edits: [
            // Without the attachment that was being made or ended.
            editOf(volume, name, { fault, set, remaining: afterDetach(all, volume.attachment) }),
            ...(volume.attachment === '' ? [] : [endedAttachment(all, volume.attachment)]),
            ...endedWith(kept ? { ...volume, migration: '' } : volume, name),
            ...(await snapshotEnd(store, volume, fault)),
          ],
        };
    const outcome = await commit(store, {
      ...change,
      frees: true,
      conditions: [{ is: 'lost', node: volume.node }, ...(change.conditions ?? [])],
      replies: [isDeleted ? { edit: 0 } : { edit: 0, fault }],
      commands: kept ? [{ topic: topicOf(topic, kept.node), message: JSON.stringify({ migration: kept.id }) }] : [],
    });
    // Absent: deleted meanwhile. A condition: the node is back and serves its volumes itself.
    if (outcome.word !== 'changed' && outcome.word !== 'exists') return;
    volume = await volumesOf(store).find(volume.id);
  }
}
