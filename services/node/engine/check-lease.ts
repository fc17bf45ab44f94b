import { errors } from '../../../lib/errors.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { NodeLease } from '../lease.ts';

/** Changes nothing. Throws Fenced where this daemon has its lease no more, also where it has not noticed yet. */
export async function checkLease({ store, lease }: { store: Store; lease: NodeLease }): Promise<void> {
  const outcome = await commit(store, { owner: lease.token, edits: [], frees: true });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
}
