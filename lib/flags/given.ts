import { type FlagName, definitions } from './definitions.ts';

/** Source of a value, with the source that it overrides or that overrides it. */
export type Origin = string;

/** A value as text. The source with the higher rank overrides the others. */
export interface Given {
  value: string;
  origin: Origin;
  rank: number;
}

/** Of what is given last: it overrides every other source. */
export const commandLineRank = 3;

/** What is printed in place of a secret. */
export const mask = '***';

/** A URL can be given to the wrong flag. */
function withoutCredentials(value: string): string {
  return value.replace(/^.*:.*@/s, '***@');
}

/** Returns a value as messages show it. */
export function shownValue(name: FlagName, value: string): string {
  return definitions[name].secret ? mask : JSON.stringify(withoutCredentials(value));
}

/** Returns undefined and adds a problem for an invalid value. */
export function parseFlag(name: FlagName, { value, origin }: Given, section: string, problems: string[]): unknown {
  const { schema, secret } = definitions[name];
  if (secret && value === mask) {
    problems.push(`${section}${name} = ${mask} is a mask of --print-config: write the secret (${origin})`);
    return undefined;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const shown = shownValue(name, value);
  const reason = [...new Set(parsed.error.issues.map((issue) => issue.message))].join(', ');
  problems.push(`${section}${name} = ${shown} ${reason} (${origin})`);
  return undefined;
}
