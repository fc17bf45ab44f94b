import type { FoundVolume } from '../../lib/drivers/driver.ts';
import { backendId, backendsOf } from '../../lib/models/backend.ts';
import { type NodeState, findNode } from '../../lib/models/node.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Backend } from './backends.ts';
import type { NodeLease } from './lease.ts';
import { keeperLabel } from './specs.ts';

/**
 * Returns the identity of storage whose volumes other nodes can serve as well as this one; '' where they cannot. An export runs on
 * its node, and continues without the daemon: such volumes stay with it.
 */
export function sharedIdentity({ driver, target }: Pick<Backend, 'driver' | 'target'>): string {
  return target.addressing === 'none' ? driver.capabilities.shared : '';
}

/**
 * Whether a place is the storage of a backend of this node: that backend, or one of another node that reaches the same storage, which is
 * assumed of a backend without a record.
 */
export async function isOnStorage(
  { store, lease }: { store: Store; lease: NodeLease },
  backend: Pick<Backend, 'name' | 'driver' | 'target'>,
  { node, backend: name }: Pick<VolumeState, 'node' | 'backend'>,
): Promise<boolean> {
  if (node === lease.node) return name === backend.name;
  const identity = sharedIdentity(backend);
  if (identity === '') return false;
  const [other] = (await backendsOf(store).readAll([backendId(node, name)])).states;
  return other === undefined || other.shared === identity;
}

/** Returns the node whose name is on what it makes or leaves there with a migration; undefined where only this node reaches the storage. */
export function keeperOn(backend: Pick<Backend, 'driver' | 'target'>, node: string): string | undefined {
  return sharedIdentity(backend) === '' ? undefined : node;
}

/** Returns the node, other than this one, that alone uses or removes storage of a migration; undefined where there is none. */
export async function otherKeeper(
  { store, lease }: { store: Store; lease: NodeLease },
  { labels }: Pick<FoundVolume, 'labels'>,
): Promise<NodeState | undefined> {
  const keeper = labels[keeperLabel];
  return keeper === undefined || keeper === lease.node ? undefined : findNode(store, keeper);
}

/** Volumes whose records are asked for at once. */
const pageSize = 500;

/** Returns found volumes without those of shared storage that have a record, of any node, or whose deletion is noted. */
export async function withoutOthers<T extends FoundVolume & { backend: Backend }>(
  store: Store,
  volumes: readonly T[],
): Promise<T[]> {
  const others = new Set<string>();
  const ids = volumes.filter(({ backend }) => sharedIdentity(backend) !== '').map(({ id }) => id);
  for (let begin = 0; begin < ids.length; begin += pageSize) {
    const page = ids.slice(begin, begin + pageSize);
    const { keys } = store;
    const counts = await store.read((redis) =>
      Promise.all(page.map((id) => redis.exists(keys.volume(id), keys.abandoned(id)))),
    );
    for (const [index, id] of page.entries()) if (counts[index] !== 0) others.add(id);
  }
  return volumes.filter(({ id }) => !others.has(id));
}
