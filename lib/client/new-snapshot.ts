import type { VolumeState } from '../models/volume-state.ts';
import type { Edit } from '../redis/scripts.ts';

/** Returns the edit that makes the record of a snapshot of a volume as it is now. `fields`: what is noted of the snapshot. */
export function newSnapshot(
  id: string,
  volume: Pick<VolumeState, 'id' | 'size'>,
  fields: Readonly<Record<string, string>>,
): Edit {
  const set = { ...fields, volume: volume.id, size: String(volume.size), status: 'creating' };
  return { kind: 'snapshot', id, insert: true, set, stamp: ['createTime'] };
}
