import type { TypeChanges } from '../../lib/client/types.ts';
import { capabilityNames } from '../../lib/drivers/capabilities.ts';
import { errors } from '../../lib/errors.ts';
import { type RequirementName, requirementNames } from '../../lib/models/requirements.ts';
import type { TypeState } from '../../lib/models/type-state.ts';
import { metadataItem } from './metadata-item.ts';

/**
 * What a type requires and limits as extra specs, the form that clients of the Block Storage API know. A spec that says what a backend must
 * be becomes a requirement; one in another spelling than that of this table is kept as it was given besides, as clients compare what they
 * have set. All others are metadata.
 */

export type Specs = Readonly<Record<string, string>>;

/** Requirements that are texts, by their specs. */
const texts: ReadonlyMap<string, RequirementName> = new Map([
  ['volume_backend_name', 'backend'],
  ['pool_name', 'pool'],
  ['RESKEY:availability_zones', 'zone'],
  ['capabilities:driver', 'driver'],
  ['capabilities:target', 'target'],
]);
/** Those that are yes or no, under further names. */
const aliases: ReadonlyMap<string, RequirementName> = new Map([
  ['multiattach', 'multiattach'],
  ['thin_provisioning_support', 'thin'],
]);
const scope = 'capabilities:';
/** Limits of the type itself. */
const limits = { 'blockstore:iops': 'iops', 'blockstore:bytes_per_second': 'bytesPerSecond' } as const;

/** What everybody may see of a type. */
const visible: ReadonlySet<string> = new Set(['multiattach', 'RESKEY:availability_zones', 'replication_enabled']);

interface Requirement {
  name: RequirementName;
  value: string;
}

/** Returns the extra specs of a type; to others than administrators those alone that concern them. */
export function specsOf({ requirements, metadata, limits: own }: TypeState, isAdmin: boolean): Specs {
  const expressed = new Set<string>();
  const kept = Object.entries(metadata).filter(([key, value]) => {
    const requirement = given(key, value);
    if (!requirement) return true;
    const holds = requirementsText(requirements, requirement.name) === requirement.value;
    if (holds) expressed.add(requirement.name);
    return holds;
  });
  const derived = Object.entries(requirements).flatMap(([name, value]): [string, string][] =>
    expressed.has(name) || value === undefined ? [] : [[keyOf(name), textOf(name, value)]],
  );
  const ofLimits = Object.entries(limits).flatMap(([key, limit]): [string, string][] => {
    const value = own[limit];
    return value === undefined ? [] : [[key, String(value)]];
  });
  const all = [...derived, ...ofLimits, ...kept];
  return Object.fromEntries(isAdmin ? all : all.filter(([key]) => visible.has(key)));
}

/** Returns how a type changes that gets these specs. Throws InvalidRequest. */
export function changesBy(
  specs: Specs,
): Pick<TypeChanges, 'requirements' | 'metadata' | 'unsetMetadata' | 'iops' | 'bytesPerSecond'> {
  const requirements: Record<string, string> = {};
  const metadata: [key: string, value: string][] = [];
  const unsetMetadata: string[] = [];
  const ofLimits: { iops?: number; bytesPerSecond?: number } = {};
  for (const [key, value] of Object.entries(specs)) {
    const limit = limitOf(key);
    const requirement = limit ? undefined : requirementOf(key, value);
    if (limit) {
      ofLimits[limit] = numberOf(key, value);
    } else if (!requirement) {
      metadata.push([key, value]);
    } else {
      const { name, value: required } = requirement;
      if ((requirements[name] ?? required) !== required) {
        throw errors.invalidRequest([`extra_specs: ${key} contradicts another spec`]);
      }
      requirements[name] = required;
      if (key === keyOf(name) && value === textOf(name, required)) unsetMetadata.push(key);
      else metadata.push([key, value]);
    }
  }
  return { requirements, metadata: Object.fromEntries(metadata), unsetMetadata, ...ofLimits };
}

/** Returns how a type changes that loses a spec; undefined where it has none of that key. */
export function changesWithout(type: TypeState, key: string): TypeChanges | undefined {
  const value = metadataItem(specsOf(type, true), key);
  if (value === undefined) return undefined;
  const limit = limitOf(key);
  if (limit) return { [limit]: 0 };
  const requirement = given(key, value);
  return {
    ...(requirement ? { requirements: { [requirement.name]: '' } } : {}),
    ...(metadataItem(type.metadata, key) === undefined ? {} : { unsetMetadata: [key] }),
  };
}

/** The same without an error: what is stored may be of another version. */
function given(key: string, value: string): Requirement | undefined {
  try {
    return requirementOf(key, value);
  } catch {
    return undefined;
  }
}

/** Undefined for a spec that says nothing of the backend. Throws InvalidRequest. */
function requirementOf(key: string, value: string): Requirement | undefined {
  const bare = key.startsWith(scope) ? key.slice(scope.length) : key;
  if (bare === 'replication_enabled' && isYes(key, value) === 'yes') {
    throw errors.invalidRequest(['extra_specs: replication_enabled: this installation has no replication']);
  }
  const text = texts.get(key) ?? texts.get(bare);
  if (text !== undefined) return { name: text, value: textIn(key, value, text) };
  const named = key === bare ? undefined : [...capabilityNames, 'shared' as const].find((name) => name === bare);
  const name = aliases.get(bare) ?? named;
  if (name !== undefined) return { name, value: isYes(key, value) };
  if (key !== bare && bare !== 'replication_enabled') {
    const known = requirementNames.map(keyOf).filter((one) => one.startsWith(scope));
    throw errors.invalidRequest([`extra_specs: ${key.slice(0, 100)} is none of ${known.join(', ')}`]);
  }
  return undefined;
}

function textIn(key: string, value: string, name: RequirementName): string {
  const [, plain = value] = /^s==\s*(.+)$/.exec(value) ?? [];
  if (/^(?:<|s[!<>=]|[<>=!]=?\s)/.test(plain) || plain.trim() === '') {
    throw errors.invalidRequest([`extra_specs: ${key} must be a name, not ${JSON.stringify(value.slice(0, 100))}`]);
  }
  if (name !== 'zone') return plain.trim();
  return plain
    .split(',')
    .map((zone) => zone.trim())
    .filter(Boolean)
    .join(',');
}

/** `<is> True`, and what means the same. Throws InvalidRequest. */
function isYes(key: string, value: string): 'yes' | 'no' {
  const [, text = ''] = /^(?:<is>\s*)?(\w+)$/.exec(value.trim()) ?? [];
  const lower = text.toLowerCase();
  if (['true', 'yes', '1'].includes(lower)) return 'yes';
  if (['false', 'no', '0'].includes(lower)) return 'no';
  throw errors.invalidRequest([`extra_specs: ${key} must be "<is> True" or "<is> False"`]);
}

function keyOf(name: string): string {
  const text = [...texts].find(([, requirement]) => requirement === name)?.[0];
  return text ?? (name === 'multiattach' ? name : scope + name);
}

function textOf(name: string, value: string): string {
  if ([...texts.values()].some((text) => text === name)) return value;
  return value === 'yes' ? '<is> True' : value === 'no' ? '<is> False' : value;
}

function limitOf(key: string): 'iops' | 'bytesPerSecond' | undefined {
  return Object.entries(limits).find(([name]) => name === key)?.[1];
}

function numberOf(key: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw errors.invalidRequest([`extra_specs: ${key} must be a whole number of at most 15 digits`]);
}

function requirementsText(
  requirements: Readonly<Record<string, string | undefined>>,
  name: string,
): string | undefined {
  return requirements[name];
}
