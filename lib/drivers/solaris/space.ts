import type { FreeSpace } from '../../san/admission.ts';
import type { Datasets } from './datasets.ts';

/** The space that volumes may have: thin ones are never promised more than there is. */
export interface Space {
  freeBytes: number;
  volumeBytes: number;
}

export function spaceIn({ availableBytes, volumes }: Datasets): Space {
  const volumeBytes = volumes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const usedBytes = volumes.reduce((sum, { usedBytes: used }) => sum + used, 0);
  return { freeBytes: Math.max(0, availableBytes + usedBytes - volumeBytes), volumeBytes };
}

export function freeSpaceIn(found: Datasets): FreeSpace {
  return {
    storage: `ZFS dataset ${found.dataset}`,
    freeBytes: spaceIn(found).freeBytes,
    sizes: new Map(found.volumes.map(({ id, sizeBytes }) => [id, sizeBytes])),
  };
}
