import { errors } from '../errors.ts';
import { type BackendState, backendId } from '../models/backend.ts';
import { taskKey, writeTask } from '../models/task.ts';
import { stateOf } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { type Edit, type LeaseToken, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { abandonedEdit } from './abandon.ts';
import { topicOf } from './message.ts';
import { readCandidates } from './placement.ts';

/** Backends of the same storage that are read at most. */
const maxRead = 32;
/** Change sets that are tried at most: each failed because the node of a backend has just gone, too. */
const maxAttempts = 4;

/**
 * Moves a volume whose node is gone, with its task, to a node that is up and serves the same storage. Returns whether its record is to be
 * read again.
 */
export async function takeOver(store: Store, volume: VolumeState, topic: string): Promise<boolean> {
  const from = await sharingBackend(store, volume);
  if (!from) return false;
  for (const backend of (await successors(store, from)).slice(0, maxAttempts)) {
    const outcome = await moveTo(store, volume, { from, to: backend, topic });
    if (outcome !== 'notThere') return outcome !== 'notNow';
  }
  return false;
}

/** Returns the backend of a volume whose node is down, where other nodes could serve the volume; otherwise undefined. */
async function sharingBackend(store: Store, { node, backend }: VolumeState): Promise<BackendState | undefined> {
  const [found] = await readCandidates(store, [backendId(node, backend)]);
  return found && !found.isUp && found.backend.shared !== '' ? found.backend : undefined;
}

/** Backends of nodes that are up, on the same storage: those of the same zone first. A random part of many. */
export async function successors(store: Store, from: BackendState): Promise<BackendState[]> {
  const key = store.keys.sharing(from.shared);
  const count = await store.read((redis) => redis.zcard(key));
  const first = Math.floor(Math.random() * Math.max(1, count - maxRead + 1));
  const ids = await store.read((redis) => redis.zrange(key, String(first), String(first + maxRead - 1)));
  const candidates = await readCandidates(
    store,
    ids.filter((id) => id !== from.id),
  );
  const distance = ({ availabilityZone, accepting }: BackendState) =>
    (availabilityZone === from.availabilityZone ? 0 : 2) + (accepting ? 0 : 1);
  return candidates
    .filter(({ backend, isUp }) => isUp && backend.problem === '')
    .map(({ backend }) => ({ backend, rank: distance(backend) + Math.random() / 2 }))
    .toSorted((one, other) => one.rank - other.rank)
    .map(({ backend }) => backend);
}

/**
 * Moves a volume to another backend of the same storage, whose node learns of it. `changed`: another record than the one read, which moved meanwhile or
 * otherwise; `notNow`: its node is not gone, or it is not a volume to move; `notThere`: the other backend cannot have it.
 * A creation stays with its node: what that may still do to storage without data, which has the same name, is not told from the same work
 * of another. A deletion that the old node may still carry out is noted for it, and until it returns the id is nobody else's.
 * `owner`: of a daemon that takes the volume over itself. Throws Fenced.
 */
export async function moveTo(
  store: Store,
  volume: VolumeState,
  { from, to, topic, owner }: { from: BackendState; to: BackendState; topic: string; owner?: LeaseToken },
): Promise<'moved' | 'changed' | 'notNow' | 'notThere'> {
  const { id, task } = volume;
  if (task?.kind === 'create') return 'notNow';
  const isNoted = async () => (await store.read((redis) => redis.exists(store.keys.abandoned(id)))) === 1;
  const notes = task?.kind === 'delete' && !(await isNoted()) ? [await abandonedEdit(store, id)] : [];
  const { node, name: backend, availabilityZone } = to;
  const moved = { node, backend, availabilityZone, ...(task ? { task: writeTask({ ...task, key: taskKey() }) } : {}) };
  // Its destination labels the copy with the node that it comes from then.
  const renewed: Edit[] =
    task?.kind === 'migrate' && volume.migration !== ''
      ? [{ kind: 'migration', id: volume.migration, optional: true, unset: ['endpoint'] }]
      : [];
  const shares = ({ id: place, shared }: BackendState): Edit => ({ kind: 'backend', id: place, expect: { shared } });
  const outcome = await commit(store, {
    ...(owner ? { owner } : {}),
    frees: true,
    conditions: [
      { is: 'up', node: to.node },
      { is: 'gone', node: from.node },
    ],
    edits: [
      {
        kind: 'volume',
        id,
        expect: { ...stateOf(volume), backend: volume.backend },
        set: moved,
        unset: ['progress', 'step', 'attempts'],
      },
      shares({ ...to, shared: from.shared }),
      shares(from),
      ...notes,
      ...renewed,
    ],
    commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ taken: id }) }],
  });
  if (outcome.word === 'ok') return 'moved';
  if (outcome.word === 'Fenced') throw errors.fenced(to.node);
  if (outcome.word === 'condition') return outcome.condition.is === 'up' ? 'notThere' : 'notNow';
  return outcome.edit === 1 ? 'notThere' : outcome.edit === 2 ? 'notNow' : 'changed';
}
