import { driverOf } from '../drivers/registry.ts';
import type { FlagName, Flags } from './definitions.ts';
import { type Given, type Origin, parseFlag } from './given.ts';
import { type Settings, keyOf } from './settings.ts';

/** A backend of this node: the flags of its section, and those outside sections for the rest. */
export interface BackendFlags {
  name: string;
  flags: Flags;
  origins: Readonly<Record<FlagName, Origin>>;
}

/** Returns the backends in the order of enabled_backends. Adds problems for sections and names that do not match. */
export function backendsOf(
  node: Omit<BackendFlags, 'name'>,
  settings: Settings,
  problems: string[],
): readonly BackendFlags[] {
  const { enabled_backends: names } = node.flags;
  const enabled = new Set<string>();
  for (const name of names) {
    if (enabled.has(keyOf(name)))
      problems.push(`enabled_backends names ${name} twice (${node.origins.enabled_backends})`);
    enabled.add(keyOf(name));
  }
  for (const [key, { name, origin }] of settings.sections) {
    if (!settings.everEnabled.has(key))
      problems.push(`no backend ${name} is enabled: add it to enabled_backends (${origin})`);
  }
  if (names.length === 0) return [{ name: driverOf(node.flags).name, ...node }];
  return names.map((name) => {
    const section = settings.sections.get(keyOf(name));
    if (!section) {
      problems.push(
        `enabled_backends names ${name}, which has no section [${name}] (${node.origins.enabled_backends})`,
      );
    }
    return withSection(node, name, section?.given ?? new Map<FlagName, Given>(), problems);
  });
}

function withSection(
  node: Omit<BackendFlags, 'name'>,
  name: string,
  section: ReadonlyMap<FlagName, Given>,
  problems: string[],
): BackendFlags {
  const flags = { ...node.flags };
  const origins = { ...node.origins };
  for (const [flag, given] of section) {
    const value = parseFlag(flag, given, `[${name}] `, problems);
    if (value !== undefined) Object.assign(flags, { [flag]: value });
    Object.assign(origins, { [flag]: given.origin });
  }
  return { name, flags, origins };
}
