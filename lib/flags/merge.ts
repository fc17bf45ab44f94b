import type { Definitions } from './flag.ts';

type Intersection<U> = (U extends unknown ? (part: U) => void : never) extends (part: infer I) => void ? I : never;
type Merged<K extends readonly { flags: Definitions }[]> = Intersection<K[number]['flags']>;

/** Returns the flags of all drivers or targets in one table. Two can share a flag if they share its definition. */
export function mergeFlags<const K extends readonly { name: string; flags: Definitions }[]>(kinds: K): Merged<K> {
  const merged: Record<string, unknown> = {};
  for (const { name, flags } of kinds) {
    for (const [flag, definition] of Object.entries(flags)) {
      if ((merged[flag] ?? definition) !== definition) throw new Error(`${name} redefines the flag ${flag}`);
      merged[flag] = definition;
    }
  }
  if (!isMerged<K>(merged)) throw new Error('not an object');
  return merged;
}

/** True by construction: mergeFlags has added the flags of every kind. */
function isMerged<K extends readonly { flags: Definitions }[]>(merged: unknown): merged is Merged<K> {
  return typeof merged === 'object';
}
