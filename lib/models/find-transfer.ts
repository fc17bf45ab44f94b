import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type FindOptions, findByReference } from './reference.ts';
import type { TransferState } from './transfer-state.ts';
import { transfersOf } from './transfer.ts';

/** Returns the transfer that a person means: see findByReference(). */
export function findTransfer(store: Store, reference: string, options?: FindOptions): Promise<TransferState> {
  const { keys } = store;
  const kind = {
    what: 'transfer',
    records: transfersOf(store),
    notFound: errors.transferNotFound,
    notNamed: errors.transferNotNamed,
    ambiguous: errors.transferAmbiguous,
    recordKey: keys.transfer,
    ids: keys.transferIds(),
    names: keys.transferNames(),
  } as const;
  return findByReference(store, kind, reference, options);
}
