import { driverOf } from '../drivers/registry.ts';
import { targetOf } from '../targets/registry.ts';
import type { BackendFlags } from './backends.ts';
import { quoted } from './config-file.ts';
import { type FlagName, type Flags, definitions, flagGroups, isSectionFlag } from './definitions.ts';
import { mask } from './given.ts';
import { type LoadedFlags, flagNames } from './load.ts';

/** Returns a flag's value in the form of the configuration file. */
function written(value: Flags[keyof Flags]): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

function described(name: FlagName): string {
  const { meaning, unit } = definitions[name];
  return unit === '' ? meaning : `${meaning}; in ${unit}`;
}

/** One flag as help texts and manual pages print it. */
export interface FlagHelp {
  name: string;
  meaning: string;
  /** The default as it is written in a file; 'none' when it is empty. */
  initial: string;
}

/** Returns the groups of flags with their flags, without empty groups. */
export function flagHelp(): { title: string; flags: FlagHelp[] }[] {
  return nonEmptyGroups().map(({ title, flags }) => ({ title, flags: flags.map(helpOf) }));
}

function helpOf(name: FlagName): FlagHelp {
  const initial = name === 'storage_name' ? 'the host name' : written(definitions[name].initial()) || 'none';
  return { name, meaning: described(name), initial };
}

/** Returns the flags for `blockstored --help`, in groups. */
export function helpText(): string {
  return inGroups(
    (title) => `${title}:`,
    (flag) => {
      const { name, meaning, initial } = helpOf(flag);
      return `  --${name}\n      ${meaning} (default: ${initial})`;
    },
    '\n',
  );
}

/**
 * Returns a configuration file with the source of each value, for `--print-config`. Flags without effect are comments. Secrets are
 * ***, which a file must not have.
 */
export function printConfig({ flags, origins, backends }: LoadedFlags): string {
  const entry = (name: FlagName, from: Omit<BackendFlags, 'name'>) => {
    const value = written(from.flags[name]);
    const shown = definitions[name].secret && value !== '' ? mask : quoted(value);
    const initial = written(definitions[name].initial()) || 'none';
    return `# ${described(name)} (default: ${initial}; from: ${from.origins[name]})\n${name} = ${shown}`.trimEnd();
  };
  const replaced = replacedBy(flags);
  const node = inGroups(heading, (name) => {
    const text = entry(name, { flags, origins });
    return `${replaced.includes(name) ? text.replace(/\n(?!#)/, '\n#') : text}\n`;
  });
  if (flags.enabled_backends.length === 0) return node;
  const sections = backends.map((backend) => {
    const entries = flagsOf(backend.flags).map((name) => entry(name, backend));
    return [`[${backend.name}]`, ...entries].join('\n\n').concat('\n');
  });
  return [node, ...sections].join('\n');
}

/**
 * Returns a configuration file with the flags outside sections that were set and have an effect, for another program of this node.
 * With the secrets.
 */
export function settingsText({ flags, origins }: Pick<LoadedFlags, 'flags' | 'origins'>): string {
  const left = new Set<FlagName>([...replacedBy(flags), 'enabled_backends']);
  const names = flagNames.filter((name) => !left.has(name) && !origins[name].startsWith('default'));
  return [...new Set<FlagName>(['storage_name', ...names])]
    .map((name) => `${name} = ${quoted(written(flags[name]))}\n`)
    .join('');
}

/** Returns the flags that have no effect, because another one replaces them, and that a file must not set beside it. */
function replacedBy(flags: Flags): FlagName[] {
  const { redis_url: url, redis_sentinels: sentinels, redis_cluster: cluster } = flags;
  const names: FlagName[] = [];
  if (flags.fake_storage) names.push('volume_driver', 'volume_target');
  if (url !== '' || sentinels.length > 0 || cluster.length > 0) names.push('redis_host', 'redis_port');
  if (url !== '') names.push('redis_db');
  if (url !== '' && !flags.redis_tls) names.push('redis_tls'); // the URL can require TLS
  return names;
}

/** The flags that matter to a backend: those of its driver and its target. */
function flagsOf(flags: Flags): FlagName[] {
  const own = new Set([
    'volume_driver',
    'volume_target',
    ...Object.keys(driverOf(flags).flags),
    ...Object.keys(targetOf(flags).flags),
  ]);
  return flagNames.filter((name) => own.has(name) && isSectionFlag(name));
}

/** Returns the sample configuration: every flag, commented out, at its default. Defaults of this host are left empty. */
export function sampleConfig(): string {
  return inGroups(heading, (name) => {
    const value = name === 'storage_name' ? '' : written(definitions[name].initial());
    return `# ${described(name)}\n#${name} = ${value}`.trimEnd().concat('\n');
  });
}

function heading(title: string): string {
  return `## ${title}\n`;
}

function inGroups(head: (title: string) => string, entry: (name: FlagName) => string, between = ''): string {
  return nonEmptyGroups()
    .map(({ title, flags }) => [head(title), ...flags.map(entry)].join('\n'))
    .join(`\n${between}`);
}

function nonEmptyGroups(): { title: string; flags: FlagName[] }[] {
  return flagGroups
    .map(({ title, names }) => ({ title, flags: flagNames.filter((name) => names.includes(name)) }))
    .filter(({ flags }) => flags.length > 0);
}

/** Returns the values that must never be logged, of the node and its backends, with the password of a URL in each of its forms. */
export function secretsOf({ flags, backends }: Pick<LoadedFlags, 'flags' | 'backends'>): string[] {
  const secrets = flagNames.filter((name) => definitions[name].secret);
  const values = [flags, ...backends.map((backend) => backend.flags)].flatMap((of) =>
    secrets.map((name) => written(of[name])),
  );
  const inUrl = URL.canParse(flags.redis_url) ? new URL(flags.redis_url).password : '';
  return [...values, inUrl, decoded(inUrl)].filter((value, index, all) => value !== '' && all.indexOf(value) === index);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
