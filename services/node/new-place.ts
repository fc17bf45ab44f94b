import { type BackendState, backendId } from '../../lib/models/backend.ts';
import type { MigrationState } from '../../lib/models/migration-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { isInUse } from './engine/migration-in-use.ts';

/** Returns the fields of a volume that has migrated, or has done so before Redis lost it. */
export function fieldsAtPlace(
  volume: VolumeState,
  { node, backend, availabilityZone }: { node: string; backend: string } & Pick<BackendState, 'availabilityZone'>,
): { set: Record<string, string>; unset: string[] } {
  const lender = lenderAt(node, volume);
  const set = { node, backend, availabilityZone, movedFrom: backendId(volume.node, volume.backend) };
  return lender === '' ? { set, unset: ['lender'] } : { set: { ...set, lender }, unset: [] };
}

/** The same with what that migration changes besides. */
export function fieldsAfter(volume: VolumeState, migration: MigrationState): ReturnType<typeof fieldsAtPlace> {
  const { type, isMultiattach = volume.isMultiattach } = migration;
  const { set, unset } = fieldsAtPlace(volume, migration);
  const withType = type === '' ? {} : { type };
  const shared = isMultiattach === volume.isMultiattach ? {} : { multiattach: String(isMultiattach) };
  return { set: { ...set, ...withType, ...shared }, unset };
}

/** Returns the node that lends an attached volume its address once it is on `node`; '' = none. */
export function lenderAt(node: string, volume: Pick<VolumeState, 'node' | 'lender' | 'attachStatus'>): string {
  const owner = volume.lender === '' ? volume.node : volume.lender;
  return isInUse(volume) && owner !== node ? owner : '';
}
