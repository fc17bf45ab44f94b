import { errors } from '../errors.ts';
import { readNamedFile } from '../named-file.ts';
import { readArguments, readEnvironment } from './arguments.ts';
import { type BackendFlags, backendsOf } from './backends.ts';
import { parseConfigFile } from './config-file.ts';
import { contradictions } from './contradictions.ts';
import { type FlagName, type Flags, definitions, flagGroups, isFlagName } from './definitions.ts';
import { resolveFakeStorage } from './fake-storage.ts';
import { type Given, type Origin, parseFlag } from './given.ts';
import { keepOneRedisWay } from './redis-source.ts';
import { Settings } from './settings.ts';

export interface LoadedFlags {
  /** Outside sections. */
  flags: Flags;
  origins: Readonly<Record<FlagName, Origin>>;
  /** One for each name in enabled_backends; without that flag one, named after its driver. */
  backends: readonly [BackendFlags, ...BackendFlags[]];
  /** Words of the command line that are no flags. */
  rest: string[];
}

export interface FlagSources {
  /** `--name=value`, `--name value` or, for yes and no, `--name`; `--backend.name=…`; dashes and underscores are the same. */
  argv?: readonly string[];
  /** `name=value` or `backend.name=value`, as strong as argv. */
  set?: readonly string[];
  /** BLOCKSTORE_NAME=value or BLOCKSTORE_BACKEND__NAME=value. */
  env?: Readonly<Record<string, string | undefined>>;
  /** The path of a file as parseConfigFile reads it. */
  file?: string | undefined;
  /** In place of the built-in defaults. */
  embedded?: Readonly<Partial<Record<FlagName, string>>>;
}

export const flagNames = flagGroups.flatMap(({ names }) => names).filter(isFlagName);

/**
 * Flags from default < file < environment < command line. An empty value is none. Throws InvalidFlags with every problem of
 * every source at once, each naming the flag, the value and the source.
 */
export function loadFlags(sources: FlagSources): LoadedFlags {
  const problems: string[] = [];
  const settings = new Settings(problems);
  for (const [name, value] of Object.entries(sources.embedded ?? {})) {
    settings.take(undefined, name, { value, origin: 'embedded default', rank: 0 });
  }
  if (sources.file !== undefined) takeFile(sources.file, settings, problems);
  readEnvironment(sources.env ?? {}, settings);
  const rest = readArguments({ argv: sources.argv ?? [], set: sources.set ?? [] }, settings, problems);

  const removed = new Map<FlagName, string>();
  const displacement = { given: settings.top, removed, problems };
  keepOneRedisWay(displacement);
  resolveFakeStorage(displacement);
  const values = parseAll(settings.top, problems);
  const origins: Record<string, unknown> = {};
  for (const name of flagNames) origins[name] = settings.top.get(name)?.origin ?? removed.get(name) ?? 'default';
  if (!isComplete(values) || !hasOrigins(origins)) throw errors.invalidFlags(problems);
  const backends = backendsOf({ flags: values, origins }, settings, problems);
  if (problems.length === 0) problems.push(...contradictions(values, backends));
  const [first, ...others] = backends;
  if (problems.length > 0 || !first) throw errors.invalidFlags(problems);
  return { flags: values, origins, backends: [first, ...others], rest };
}

/** Of a file that is none of configuration, such as a binary one, some lines are enough. */
const maxLines = 10;

function takeFile(path: string, settings: Settings, problems: string[]): void {
  const content = readNamedFile(path);
  if ('problem' in content) {
    problems.push(`the configuration file ${path} cannot be read: ${content.problem}`);
    return;
  }
  const file = parseConfigFile(content.text);
  const origin = (line: number): Origin => `file ${path} line ${line}`;
  const lines = file.problems.map(({ line, text }) => `${path} line ${line}: ${text}`);
  problems.push(...lines.slice(0, maxLines));
  if (lines.length > maxLines) problems.push(`and ${lines.length - maxLines} more lines of ${path} are wrong`);
  for (const { name, line } of file.sections) settings.open(name, origin(line));
  for (const { section, name, value, line } of file.settings) {
    settings.takeOnce(section, name, { value, origin: origin(line), rank: 1 });
  }
}

/** Parses what is given, the default of the rest. A value that cannot be parsed is left out, and a problem. */
function parseAll(given: ReadonlyMap<FlagName, Given>, problems: string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const name of flagNames) {
    const found = given.get(name);
    values[name] = found
      ? (parseFlag(name, found, '', problems) ?? definitions[name].initial())
      : definitions[name].initial();
  }
  return values;
}

function isComplete(values: Record<string, unknown>): values is Flags {
  return flagNames.every((name) => values[name] !== undefined);
}

function hasOrigins(origins: Record<string, unknown>): origins is Record<FlagName, Origin> {
  return flagNames.every((name) => origins[name] !== undefined);
}
