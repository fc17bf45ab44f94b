import { definitions, flagNameOf } from './definitions.ts';
import { yesNo } from './flag.ts';
import { commandLineRank, shownValue } from './given.ts';
import { type Settings, keyOf } from './settings.ts';

const environmentPrefix = 'BLOCKSTORE_';
/** The path of the file; and what the launcher says of SIGHUP. */
const notFlags = new Set(['BLOCKSTORE_CONFIG', 'BLOCKSTORE_NOHUP']);

/** BLOCKSTORE_REDIS_PORT for the node, BLOCKSTORE_FAST__VOLUME_GROUP for the backend fast. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>, settings: Settings): void {
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(environmentPrefix) || notFlags.has(variable) || value === undefined) continue;
    const [one = '', other] = splitOnce(variable.slice(environmentPrefix.length).toLowerCase(), '__');
    const given = { value, origin: 'environment', rank: 2 };
    const [section, name] = other === undefined ? [undefined, one] : [one, other];
    if (value.trim() === '') settings.take(section, name, given, variable);
    else settings.takeOnce(section, name, given, variable);
  }
}

/** Returns the words that are not flags. */
export function readArguments(
  { argv, set }: { argv: readonly string[]; set: readonly string[] },
  settings: Settings,
  problems: string[],
): string[] {
  const take = (spelling: string, value: string, shown: string) => {
    const [one = '', other] = splitOnce(spelling, '.');
    const given = { value, origin: 'command line', rank: commandLineRank };
    if (other === undefined) settings.take(undefined, one, given, shown);
    else settings.take(one, other, given, shown);
  };
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    const [, spelling, , value] = /^--([A-Za-z][\w-]*(?:\.[\w-]+)?)(=([\s\S]*))?$/.exec(word) ?? [];
    if (spelling === undefined) {
      rest.push(word);
      continue;
    }
    const flag = flagNameOf(splitOnce(spelling, '.').at(-1) ?? '');
    if (value !== undefined || !flag) take(spelling, value ?? '', `--${spelling}`);
    else if (typeof definitions[flag].initial() === 'boolean') {
      const next = argv[index + 1]?.toLowerCase();
      if (next !== undefined && yesNo.safeParse(next).success) {
        problems.push(`--${spelling} ${argv[index + 1]}: write --${spelling}=${next} (command line)`);
        index += 1;
      } else take(spelling, 'true', `--${spelling}`);
    } else {
      const next = argv[index + 1];
      if (next === undefined) problems.push(`--${spelling} requires a value (command line)`);
      // A forgotten value, which would be the name of the next flag.
      else if (isFlag(next)) {
        problems.push(`--${spelling} requires a value before ${splitOnce(next, '=')[0]} (command line)`);
      } else {
        take(spelling, next, `--${spelling}`);
        index += 1;
      }
    }
  }
  const earlier = new Map<string, string>();
  for (const pair of set) {
    const [, spelling, value] = /^([A-Za-z][\w-]*(?:\.[\w-]+)?)=([\s\S]*)$/.exec(pair) ?? [];
    if (spelling === undefined || value === undefined)
      problems.push(`--set: ${described(pair)} is not name=value (command line)`);
    else {
      problems.push(...repetition(spelling, value, earlier));
      take(spelling, value, spelling);
    }
  }
  return rest;
}

/** Of several addresses of Redis, which --redis-url gives as well, the last one counts. */
function repetition(spelling: string, value: string, earlier: Map<string, string>): string[] {
  const words = splitOnce(spelling, '.');
  const name = flagNameOf(words.at(-1) ?? '');
  if (name === undefined || name === 'redis_url') return [];
  const key = [...words.slice(0, -1).map(keyOf), name].join('.');
  const first = earlier.get(key);
  earlier.set(key, value);
  if (first === undefined) return [];
  return [
    `${spelling} is set twice, to ${shownValue(name, first)} and ${shownValue(name, value)}: give it once (command line)`,
  ];
}

function isFlag(word: string): boolean {
  const [, spelling] = /^--(?:[\w-]+\.)?([\w-]+)(?:=|$)/.exec(word) ?? [];
  return spelling !== undefined && flagNameOf(spelling) !== undefined;
}

/** Returns the pair without its value, which can be a secret. */
function described(pair: string): string {
  const [before = '', value] = splitOnce(pair, '=');
  return value === undefined ? 'a word without =' : JSON.stringify(`${before}=…`);
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
