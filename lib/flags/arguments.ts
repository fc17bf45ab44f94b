import { definitions, flagNameOf } from './definitions.ts';
import type { Settings } from './settings.ts';

const environmentPrefix = 'BLOCKSTORE_';
/** BLOCKSTORE_CONFIG names the file itself. */
const notFlags = new Set(['BLOCKSTORE_CONFIG']);

/** BLOCKSTORE_REDIS_PORT for the node, BLOCKSTORE_FAST__VOLUME_GROUP for the backend fast. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>, settings: Settings): void {
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(environmentPrefix) || notFlags.has(variable) || value === undefined) continue;
    const [one = '', other] = splitOnce(variable.slice(environmentPrefix.length).toLowerCase(), '__');
    const given = { value, origin: 'environment', rank: 2 };
    if (other === undefined) settings.take(undefined, one, given, variable);
    else if (value.trim() !== '') settings.take(one, other, given, variable);
  }
}

/** Returns the words that are no flags. */
export function readArguments(
  { argv, set }: { argv: readonly string[]; set: readonly string[] },
  settings: Settings,
  problems: string[],
): string[] {
  const take = (typed: string, value: string, shown: string) => {
    const [one = '', other] = splitOnce(typed, '.');
    const given = { value, origin: 'command line', rank: 3 };
    if (other === undefined) settings.take(undefined, one, given, shown);
    else settings.take(one, other, given, shown);
  };
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    const [, typed, , value] = /^--([A-Za-z][\w-]*(?:\.[\w-]+)?)(=([\s\S]*))?$/.exec(word) ?? [];
    if (typed === undefined) {
      rest.push(word);
      continue;
    }
    const flag = flagNameOf(splitOnce(typed, '.').at(-1) ?? '');
    if (value !== undefined || !flag) take(typed, value ?? '', `--${typed}`);
    else if (typeof definitions[flag].initial() === 'boolean') take(typed, 'true', `--${typed}`);
    else {
      index += 1;
      const next = argv[index];
      if (next === undefined) problems.push(`--${typed} needs a value (command line)`);
      else take(typed, next, `--${typed}`);
    }
  }
  for (const pair of set) {
    const [, typed, value] = /^([A-Za-z][\w-]*(?:\.[\w-]+)?)=([\s\S]*)$/.exec(pair) ?? [];
    if (typed === undefined || value === undefined)
      problems.push(`--set: ${described(pair)} is not name=value (command line)`);
    else take(typed, value, typed);
  }
  return rest;
}

/** What stands before the value, which may be a secret. */
function described(pair: string): string {
  const [before = '', value] = splitOnce(pair, '=');
  return value === undefined ? 'a word without =' : JSON.stringify(`${before}=…`);
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
