import { type FlagName, definitions } from './definitions.ts';

/** Where a value came from; with what it displaced, or what displaced it. */
export type Origin = string;

/** A value as text. The source with the higher rank counts. */
export interface Given {
  value: string;
  origin: Origin;
  rank: number;
}

/** Returns undefined, and adds a problem, for a value that the flag cannot have. */
export function parseFlag(name: FlagName, { value, origin }: Given, section: string, problems: string[]): unknown {
  const { schema, secret } = definitions[name];
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const shown = secret ? '***' : JSON.stringify(value);
  const wanted = [...new Set(parsed.error.issues.map((issue) => issue.message))].join(', ');
  problems.push(`${section}${name} = ${shown} ${wanted} (${origin})`);
  return undefined;
}
