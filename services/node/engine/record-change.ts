import { writeChap } from '../../../lib/models/chap.ts';
import { storedAddress } from '../../../lib/models/stored-address.ts';
import type { EditOptions } from '../../../lib/models/volume-edit.ts';
import type { StepContext } from './operation.ts';

/** A change of the record of a volume, besides that of its status. */
export type RecordChange = Pick<EditOptions, 'set' | 'unset' | 'rest'>;

/** The change of the record by what the steps determined. */
export function determined({ volume, before }: StepContext): RecordChange {
  return merged(readdressed({ volume, before }), resized({ volume, before }), authenticated({ volume, before }));
}

/** All of these; of a field that several set, the last. */
export function merged(...changes: readonly RecordChange[]): RecordChange {
  const set = Object.assign({}, ...changes.map((change) => change.set));
  const unset = changes.flatMap((change) => change.unset ?? []);
  const [rest] = changes.flatMap((change) => change.rest ?? []);
  return { set, ...(unset.length > 0 ? { unset } : {}), ...(rest === undefined ? {} : { rest }) };
}

/** The change of the record where its storage has grown. */
export function resized({ volume: { size }, before }: Pick<StepContext, 'volume' | 'before'>): RecordChange {
  return size === before.size ? {} : { set: { size: String(size) } };
}

/** The change of the record where the operation issued a secret. */
export function authenticated({ volume: { chap }, before }: Pick<StepContext, 'volume' | 'before'>): RecordChange {
  return chap && !before.chap ? { set: { chap: writeChap(chap) } } : {};
}

/** The change of the record where the operation gave the volume another address, or took its address: no node lends it that one. */
export function readdressed({ volume: { id, address }, before }: Pick<StepContext, 'volume' | 'before'>): RecordChange {
  if (address === before.address) return {};
  const isReturned = before.lender !== '';
  const unset = [...(address === '' ? ['address'] : []), ...(isReturned ? ['lender'] : [])];
  return {
    ...(address === '' ? {} : { set: { address: storedAddress(id, address) } }),
    ...(isReturned ? { rest: before.address } : {}),
    unset,
  };
}
