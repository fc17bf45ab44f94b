import { flag, text } from '../../flags/flag.ts';
import { sanFlags } from '../flags.ts';

/** Length of `volume-` and a UUID, and of a snapshot's name after it. */
const longestName = 256 - 90;

export const solarisFlags = {
  ...sanFlags,
  san_zfs_volume_base: flag(
    text
      .regex(
        /^[A-Za-z][A-Za-z0-9_.:-]*(\/[A-Za-z0-9][A-Za-z0-9_.:-]*)*\/([A-Za-z0-9][A-Za-z0-9_.:-]*)?$/,
        'must be a pool or dataset and a slash, such as rpool/ or tank/volumes/',
      )
      .max(longestName, `must have at most ${longestName} characters`),
    'rpool/',
    'beginning of the names of the ZFS volumes; volume-<id> follows. Its dataset belongs to one node',
  ),
};

/** Returns the dataset that the volumes are in. */
export function datasetOf(base: string): string {
  return base.slice(0, base.lastIndexOf('/'));
}
