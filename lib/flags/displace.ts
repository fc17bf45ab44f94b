import type { FlagName } from './definitions.ts';
import type { Given } from './given.ts';

/** The flags that count, and why others that were given do not. */
export interface Displacement {
  given: Map<FlagName, Given>;
  /** For --print-config. */
  removed: Map<FlagName, string>;
  problems: string[];
}

/** Removes a flag whose value another one of a stronger source replaces. */
export function displace(
  { given, removed }: Displacement,
  name: FlagName,
  by: { name: FlagName; origin: string },
): void {
  const weaker = given.get(name);
  if (weaker) removed.set(name, `default; its value (${weaker.origin}) is overridden by ${by.name} (${by.origin})`);
  given.delete(name);
}
