import { type Flags, definitions } from './definitions.ts';
import { type LoadedFlags, flagNames } from './load.ts';

/** A flag's value as it would be written in a file. */
function written(value: Flags[keyof Flags]): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

function described(name: (typeof flagNames)[number]): string {
  const { meaning, unit } = definitions[name];
  return unit === '' ? meaning : `${meaning}; in ${unit}`;
}

/** For `blockstored --help`: a line or two for each flag with meaning, unit and default. */
export function helpText(): string {
  return flagNames
    .map((name) => `  --${name}\n      ${described(name)} (default: ${written(definitions[name].initial()) || 'none'})`)
    .join('\n');
}

/** For `blockstored --print-config`: a file that can be used as it is, with where each value came from. Secrets are ***. */
export function printConfig({ flags, origins }: LoadedFlags): string {
  return flagNames
    .map((name) => {
      const value = written(flags[name]);
      const shown = definitions[name].secret && value !== '' ? '***' : value;
      const initial = written(definitions[name].initial()) || 'none';
      return `# ${described(name)} (default: ${initial}; from: ${origins[name]})\n${name} = ${shown}\n`;
    })
    .join('\n');
}

/** The sample configuration: every flag, commented out, at its default. Node-dependent defaults are left empty. */
export function sampleConfig(): string {
  return flagNames
    .map((name) => {
      const value = name === 'storage_name' ? '' : written(definitions[name].initial());
      return `# ${described(name)}\n#${name} = ${value}`.trimEnd().concat('\n');
    })
    .join('\n');
}

/** Values that must never be logged. */
export function secretsOf(flags: Flags): string[] {
  return flagNames
    .filter((name) => definitions[name].secret)
    .map((name) => written(flags[name]))
    .filter((value) => value !== '');
}
