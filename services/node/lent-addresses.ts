import type { Hash } from '../../lib/models/hash.ts';
import { abandonedVolumesOf, volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';

interface LentRecord {
  id: string;
  address?: string;
  lender?: string;
  node?: string;
}

/**
 * Returns the addresses of a node that volumes of other nodes have, by the ids of the volumes: those that have left it with their addresses,
 * also where the record cannot be read, and those that were deleted while their node was lost, which may still export them.
 */
export async function lentAddresses(store: Store, node: string): Promise<ReadonlyMap<string, string>> {
  const lent = new Map<string, string>();
  const note = ({ id, address = '', lender, node: user }: LentRecord) => {
    if (lender === node && user !== node) lent.set(id, address);
  };
  const noteUnreadable = ({ id, hash }: { id: string; hash: Hash }) => note({ ...hash, id });
  // These first: they become volumes again.
  const deleted = abandonedVolumesOf(store).iterate(store.keys.nodeLentAbandoned(node), noteUnreadable);
  for await (const volume of deleted) note(volume);
  for await (const volume of volumesOf(store).iterate(store.keys.nodeLent(node), noteUnreadable)) note(volume);
  return lent;
}
