import { join } from 'node:path';
import { readIfExistsSync } from '../../files.ts';
import type { Limits } from '../../models/limits.ts';

/** Where systemd keeps each property that was set at run time, as a file in a directory of the unit. */
const settings = '/run/systemd/system.control';

/**
 * Returns the properties that keep a unit to these limits for what it reads and writes of its volume; none where it has them. An empty
 * value removes the limit of an earlier attachment.
 */
export function changedLimits(unit: string, path: string, limits: Limits): string[] {
  const properties = propertiesOf(limits);
  const isSame = ([name, limit]: Property) => setting(unit, name) === (limit === undefined ? '' : `${path} ${limit}`);
  if (properties.every(isSame)) return [];
  return [
    ...properties.map(([name]) => `${name}=`),
    ...properties.flatMap(([name, limit]) => (limit === undefined ? [] : [`${name}=${path} ${limit}`])),
  ];
}

/** Returns the limits that a unit has. */
export function limitsOfUnit(unit: string): Limits {
  return {
    iops: limitIn(setting(unit, 'IOReadIOPSMax')),
    bytesPerSecond: limitIn(setting(unit, 'IOReadBandwidthMax')),
  };
}

type Property = readonly [name: string, limit: number | undefined];

function propertiesOf({ iops, bytesPerSecond }: Limits): Property[] {
  return [
    ['IOReadIOPSMax', iops],
    ['IOWriteIOPSMax', iops],
    ['IOReadBandwidthMax', bytesPerSecond],
    ['IOWriteBandwidthMax', bytesPerSecond],
  ];
}

/** The path and the limit, as systemd writes them; '' = none. */
function setting(unit: string, name: string): string {
  const text = readIfExistsSync(join(settings, `${unit}.d`, `50-${name}.conf`)) ?? '';
  return new RegExp(`^${name}=(.+)$`, 'm').exec(text)?.[1] ?? '';
}

function limitIn(value: string): number | undefined {
  const limit = / (\d+)$/.exec(value)?.[1];
  return limit === undefined ? undefined : Number(limit);
}
