import { readFileSync } from 'node:fs';
import { errors } from '../errors.ts';
import { type FlagName, type Flags, definitions, flagGroups } from './definitions.ts';

/** Where a value came from, later ones win. */
export type Origin = 'default' | 'embedded default' | 'environment' | 'command line' | `file ${string}`;

export interface LoadedFlags {
  flags: Flags;
  origins: Record<FlagName, Origin>;
  /** What on the command line was not a flag. */
  rest: string[];
}

export interface FlagSources {
  /** `--name=value`, `--name value` or, for yes and no, `--name`; dashes and underscores are the same. */
  argv?: readonly string[];
  /** BLOCKSTORE_NAME=value. */
  env?: Readonly<Record<string, string | undefined>>;
  /** A file of `name = value` lines; # begins a comment. */
  file?: string | undefined;
  /** In place of the built-in defaults. */
  embedded?: Readonly<Partial<Record<FlagName, string>>>;
}

const environmentPrefix = 'BLOCKSTORE_';
/** BLOCKSTORE_CONFIG names the file itself. */
const notFlags = new Set(['BLOCKSTORE_CONFIG']);

/** Throws InvalidFlags with every problem of every source at once, each naming the flag, the value and the source. */
export function loadFlags(sources: FlagSources): LoadedFlags {
  const problems: string[] = [];
  const given = new Map<FlagName, { value: string; origin: Origin }>();
  const take = (name: string, value: string, origin: Origin, as = name) => {
    const flag = flagName(name);
    if (flag) given.set(flag, { value, origin });
    else problems.push(`unknown flag ${as} (${origin})`);
  };

  for (const [name, value] of Object.entries(sources.embedded ?? {})) take(name, value, 'embedded default');
  if (sources.file !== undefined) readFile(sources.file, take, problems);
  for (const [name, value] of Object.entries(sources.env ?? {})) {
    if (!name.startsWith(environmentPrefix) || notFlags.has(name) || value === undefined) continue;
    take(name.slice(environmentPrefix.length).toLowerCase(), value, 'environment', name);
  }
  const rest = readArguments(sources.argv ?? [], take, problems);

  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const name of flagNames) {
    const { initial, schema, secret } = definitions[name];
    const found = given.get(name);
    origins[name] = found?.origin ?? 'default';
    if (!found) {
      values[name] = initial();
      continue;
    }
    const parsed = schema.safeParse(found.value);
    if (parsed.success) values[name] = parsed.data;
    else {
      const shown = secret ? '***' : JSON.stringify(found.value);
      const wanted = [...new Set(parsed.error.issues.map((issue) => issue.message))].join(', ');
      problems.push(`${name} = ${shown} ${wanted} (${found.origin})`);
    }
  }
  if (problems.length === 0 && isComplete(values)) problems.push(...contradictions(values));
  if (problems.length > 0 || !isComplete(values) || !hasOrigins(origins)) throw errors.invalidFlags(problems);
  return { flags: values, origins, rest };
}

export const flagNames = flagGroups.flatMap(({ names }) => names).filter(isFlagName);

function isFlagName(name: string): name is FlagName {
  return Object.hasOwn(definitions, name);
}

function isComplete(values: Record<string, unknown>): values is Flags {
  return flagNames.every((name) => values[name] !== undefined);
}

function hasOrigins(origins: Record<string, Origin>): origins is Record<FlagName, Origin> {
  return flagNames.every((name) => origins[name] !== undefined);
}

function flagName(name: string): FlagName | undefined {
  const plain = name.replaceAll('-', '_');
  return isFlagName(plain) ? plain : undefined;
}

type Take = (name: string, value: string, origin: Origin, as?: string) => void;

function readFile(path: string, take: Take, problems: string[]): void {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(
      `the configuration file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return;
  }
  content.split('\n').forEach((line, index) => {
    const plain = line.trim();
    if (plain === '' || plain.startsWith('#')) return;
    const [, name, value] = /^(?:--)?([A-Za-z][\w-]*)\s*=\s*(.*)$/.exec(plain) ?? [];
    if (name === undefined || value === undefined) {
      problems.push(`${path} line ${index + 1}: ${JSON.stringify(plain)} is not "name = value"`);
    } else take(name, value, `file ${path}`);
  });
}

function readArguments(argv: readonly string[], take: Take, problems: string[]): string[] {
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    const [, name, , value] = /^--([A-Za-z][\w-]*)(=([\s\S]*))?$/.exec(word) ?? [];
    if (name === undefined) {
      rest.push(word);
      continue;
    }
    const flag = flagName(name);
    if (value !== undefined || !flag) take(name, value ?? '', 'command line', word.split('=')[0]);
    else if (typeof definitions[flag].initial() === 'boolean') take(name, 'true', 'command line');
    else {
      index += 1;
      const next = argv[index];
      if (next === undefined) problems.push(`--${name} needs a value (command line)`);
      else take(name, next, 'command line');
    }
  }
  return rest;
}

function contradictions(flags: Flags): string[] {
  const problems: string[] = [];
  const { first_shelf_id: first, last_shelf_id: last } = flags;
  if (last >= 0 && first < 0) problems.push(`last_shelf_id = ${last} needs first_shelf_id to be set as well`);
  if (first >= 0 && last >= 0 && last < first) {
    problems.push(`last_shelf_id = ${last} must not be less than first_shelf_id = ${first}`);
  }
  if (flags.storage_create && flags.storage_dev.length === 0) {
    problems.push('storage_create = true needs storage_dev: the devices to make the volume group on');
  }
  if (flags.node_down_time < 2 * flags.report_interval) {
    problems.push(
      `node_down_time = ${flags.node_down_time} must be at least twice report_interval = ${flags.report_interval}`,
    );
  }
  if (flags.redis_cluster.length > 0 && flags.redis_sentinels.length > 0) {
    problems.push('redis_cluster and redis_sentinels cannot both be set');
  }
  if (flags.redis_cluster.length > 0 && flags.redis_db !== 0) {
    problems.push(`redis_db = ${flags.redis_db} is not possible with redis_cluster: a Cluster has database 0 alone`);
  }
  return problems;
}
