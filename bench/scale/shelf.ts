import type { LeaseToken } from '../../lib/redis/scripts.ts';
import { claimShelf, freeShelf } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';

/** Two scripts, as a node runs them for its next shelf; what it asks on the wire in between is not measured. */
export async function claimFreeShelf(store: Store, lease: LeaseToken): Promise<void> {
  const shelf = await freeShelf(store, { first: 1, last: 65_534 });
  if (shelf === undefined) throw new Error('no shelf is free');
  const { word } = await claimShelf(store, { ...lease, shelf });
  if (word !== 'ok') throw new Error(`claim_shelf: ${word}`);
}
