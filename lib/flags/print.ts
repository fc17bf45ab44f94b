import { type FlagName, type Flags, definitions, flagGroups } from './definitions.ts';
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

export function flagHelp(): FlagHelp[] {
  return flagNames.map(helpOf);
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

/** Returns a valid configuration file with the source of each value, for `--print-config`. Secrets are ***. */
export function printConfig({ flags, origins }: LoadedFlags): string {
  return inGroups(heading, (name) => {
    const value = written(flags[name]);
    const shown = definitions[name].secret && value !== '' ? '***' : value;
    const initial = written(definitions[name].initial()) || 'none';
    return `# ${described(name)} (default: ${initial}; from: ${origins[name]})\n${name} = ${shown}\n`;
  });
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

/** A group without flags is left out. */
function inGroups(head: (title: string) => string, entry: (name: FlagName) => string, between = ''): string {
  return flagGroups
    .map(({ title, names }) => ({ title, flags: flagNames.filter((name) => names.includes(name)) }))
    .filter(({ flags }) => flags.length > 0)
    .map(({ title, flags }) => [head(title), ...flags.map(entry)].join('\n'))
    .join(`\n${between}`);
}

/** Returns the values that must never be logged. */
export function secretsOf(flags: Flags): string[] {
  return flagNames
    .filter((name) => definitions[name].secret)
    .map((name) => written(flags[name]))
    .filter((value) => value !== '');
}
