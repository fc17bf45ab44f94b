import { capabilityNames } from '../drivers/capabilities.ts';
import { errors } from '../errors.ts';
import type { BackendState } from './backend.ts';
import { checkText } from './check-text.ts';
import type { Hash } from './hash.ts';

const placeNames = ['backend', 'pool', 'driver', 'target', 'zone'] as const;
export const requirementNames = [...placeNames, 'shared', ...capabilityNames] as const;
export type RequirementName = (typeof requirementNames)[number];

/**
 * What a backend must be, by names: its own name, pool, driver, target and zone, of which several can be named with commas, and `yes` or
 * `no` for what it can do.
 */
export type Requirements = Readonly<Partial<Record<RequirementName, string>>>;

const prefix = 'requires:';

/** The field of a record that has a requirement. */
export function requirementField(name: RequirementName): string {
  return prefix + name;
}

/** Those of a later version are kept, and met by no backend. */
export function requirementsIn(hash: Hash): Requirements {
  const fields = Object.keys(hash).filter((field) => field.startsWith(prefix));
  const known = requirementNames.map(requirementField).filter((field) => fields.includes(field));
  const names = new Set([...known, ...fields]);
  return Object.fromEntries(Array.from(names, (field) => [field.slice(prefix.length), hash[field]]));
}

/** Throws InvalidArgument. */
export function checkRequirements(given: Readonly<Record<string, string>>): Requirements {
  const checked = Object.entries(given).map(([text, value]): [RequirementName, string] => {
    const name = requirementNames.find((known) => known === text);
    if (name === undefined) throw errors.invalidArgument('requirement', text, `one of ${requirementNames.join(', ')}`);
    const isText = placeNames.some((known) => known === name);
    if (!isText && value !== 'yes' && value !== 'no') throw errors.invalidArgument(name, value, 'yes or no');
    return [name, isText ? checkText(name, value) : value];
  });
  return Object.fromEntries(checked);
}

/** Returns how a backend differs from the first requirement that it does not meet, or undefined. */
export function unmetRequirement(requirements: Requirements, backend: BackendState): string | undefined {
  for (const [name, required] of Object.entries(requirements)) {
    const has = valueOf(backend, name);
    const isMet = has === required || (name === 'zone' && (required ?? '').split(',').includes(has));
    if (!isMet) return `its ${name} is ${has === '' ? 'none' : has}, not ${required}`;
  }
  return undefined;
}

function valueOf(backend: BackendState, name: string): string {
  const { name: own, pool, driver, target, availabilityZone, shared, capabilities } = backend;
  const texts: Readonly<Record<string, string>> = { backend: own, pool, driver, target, zone: availabilityZone };
  if (name === 'shared') return shared === '' ? 'no' : 'yes';
  return texts[name] ?? (capabilities.some((capability) => capability === name) ? 'yes' : 'no');
}
