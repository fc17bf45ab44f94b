import { missingForLab } from '../lab/requirements.ts';
import { cannotExport } from '../lib/targets/aoe/place.ts';
import { HostPlace } from './host-place.ts';
import { MachinePlace } from './machine-place.ts';
import type { Place } from './place.ts';

/** A driver and a target that daemons are killed on. */
export interface CrashBackend {
  /** Why it cannot be had here; undefined where it can. */
  missing: () => Promise<string | undefined>;
  place(): Promise<Place>;
  /** Where daemons run. On a machine of a lab each run takes about ten times as long. */
  on: 'host' | 'machine';
}

/** A new driver or target joins here. */
export const backends: Readonly<Record<string, CrashBackend>> = {
  file: {
    on: 'host',
    missing: async () => undefined,
    place: () => HostPlace.create({ volume_driver: 'file', volume_target: 'none' }),
  },
  'file-aoe': {
    on: 'host',
    missing: async () => cannotExport,
    place: () => HostPlace.create({ volume_driver: 'file', volume_target: 'aoe', aoe_eth_dev: 'lo' }),
  },
  lvm: {
    on: 'machine',
    missing: missingForLab,
    place: () => MachinePlace.create(),
  },
  'lvm-systemd': {
    on: 'machine',
    missing: missingForLab,
    place: () => MachinePlace.create({ systemd: true }),
  },
};
