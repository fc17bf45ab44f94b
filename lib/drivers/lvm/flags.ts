import { flag, list, oneOf, text, whole, yesNo } from '../../flags/flag.ts';

export const lvmFlags = {
  volume_group: flag(
    text.regex(/^[A-Za-z0-9_.+][A-Za-z0-9_.+-]*$/, 'must be an LVM name'),
    'nova-volumes',
    'LVM volume group that holds the volumes',
  ),
  storage_dev: flag(
    list,
    [],
    'block devices of the volume group; LVM reads no other. Empty: the devices that the group has',
  ),
  storage_create: flag(yesNo, false, 'create the volume group on storage_dev when it does not exist'),
  volume_clear: flag(oneOf('zero', 'discard', 'none'), 'zero', 'what becomes of the data of a deleted volume'),
  volume_clear_mibps: flag(
    whole(0, 1_000_000),
    100,
    'the most that wiping may write per second and volume; 0: no limit',
    { unit: 'MiB/s' },
  ),
};
