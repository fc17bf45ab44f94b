import type { FoundVolume } from '../../lib/drivers/driver.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Backend } from './backends.ts';

/**
 * Returns the identity of storage whose volumes other nodes can serve as well as this one; '' where they cannot. An export runs on
 * its node, and continues without the daemon: such volumes stay with it.
 */
export function sharedIdentity({ driver, target }: Pick<Backend, 'driver' | 'target'>): string {
  return target.addressing === 'none' ? driver.capabilities.shared : '';
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
