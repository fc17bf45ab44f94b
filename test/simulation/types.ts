import { createType, deleteType } from '../../lib/client/types.ts';
import type { Store } from '../../lib/redis/store.ts';

/** Those of all clients, which know them by the ids of volumes. */
const types = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'] as const;

/** Returns the type that a volume is to have, by its id: the same whoever creates it; undefined: none. */
export function typeFor(volume: string): string | undefined {
  const [, digit = ''] = volume;
  return digit < '2' ? types[0] : digit < '4' ? types[1] : undefined;
}

/** Makes a type again that somebody may have removed. */
export async function makeType(store: Store, id: string): Promise<void> {
  await createType(store, { id, name: `type ${id.slice(-1)}`, iops: 100 });
}

/** Removes one of the types, where no volume has it. */
export async function removeType(store: Store, which: number): Promise<void> {
  await deleteType(store, types[which % types.length] ?? types[0]);
}
