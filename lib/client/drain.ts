import { Semaphore } from '../concurrency.ts';
import { type BlockstoreError, asError, errors } from '../errors.ts';
import { type BackendState, backendId } from '../models/backend.ts';
import { checkText } from '../models/check-text.ts';
import { lookupNode } from '../models/node.ts';
import type { Unreadable } from '../models/records.ts';
import { withoutEmpty } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';

/** Volumes that move at a time: more would share the network and the disks of the node. */
const concurrency = 4;

/**
 * Whether the backends of a node are closed, or the one that is named: they take no volumes then, created or moved there. `reason`: for
 * those who wonder; without one, what is closed already keeps its own. Nothing is recorded where all are so already. Throws NodeNotFound,
 * BackendNotFound.
 */
export async function setClosed(
  store: Store,
  node: string,
  isClosed: boolean,
  { backend, reason }: { backend?: string | undefined; reason?: string } = {},
): Promise<void> {
  const { backends: all } = await lookupNode(store, node);
  const backends = all.filter(({ name }) => name === (backend ?? name));
  if (backend !== undefined && backends.length === 0) {
    throw errors.noBackend(
      backendId(node, backend),
      all.map(({ id }) => id),
    );
  }
  const because = reason === undefined || reason === '' ? '' : checkText('reason', reason);
  const isAlready = (one: BackendState) =>
    one.isClosed === isClosed && (!isClosed || reason === undefined || one.closedReason === because);
  const changed = backends.filter((one) => !isAlready(one));
  if (changed.length === 0) return;
  const { set, unset } = withoutEmpty({ closed: isClosed ? 'true' : '', closedReason: isClosed ? because : '' });
  const edits = changed.map(({ id }): Edit => ({ kind: 'backend', id, optional: true, set, unset }));
  const event = isClosed ? 'node.close' : 'node.open';
  await commit(store, { edits: [{ kind: 'node', id: node, optional: true }, ...edits], event, frees: true });
}

export interface DrainOptions {
  onMoved: (volume: VolumeState) => void;
  /** It stays on the node. */
  onFailed: (id: string, error: BlockstoreError) => void;
  onUnreadable: (record: Unreadable) => void;
}

/** Closes a node and moves its volumes to others, the oldest first; `migrate` moves one. Throws NodeNotFound. */
export async function drain(
  store: Store,
  migrate: (id: string) => Promise<VolumeState>,
  node: string,
  { onMoved, onFailed, onUnreadable }: DrainOptions,
): Promise<void> {
  await setClosed(store, node, true);
  const slots = new Semaphore(concurrency);
  const running = new Set<Promise<void>>();
  const move = async ({ id }: VolumeState) => {
    try {
      onMoved(await migrate(id));
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code !== 'VolumeNotFound') onFailed(id, error); // else deleted meanwhile
    }
  };
  for await (const volume of volumesOf(store).iterate(store.keys.nodeVolumes(node), onUnreadable)) {
    const one = slots.run(() => move(volume)).finally(() => running.delete(one));
    running.add(one);
    if (running.size >= concurrency) await Promise.race(running);
  }
  await Promise.all(running);
}
