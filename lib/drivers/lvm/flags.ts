import { decimal, flag, list, oneOf, text, whole, yesNo } from '../../flags/flag.ts';

/** Names whose directory in /dev belongs to the system. `snapshot` is reserved by LVM. */
const takenInDev = new Set(
  'snapshot block bus char cpu disk etherd fd hugepages input mapper mqueue net pts shm'.split(' '),
);

/** The thin pool that is used where the flags name none. */
export const ownPoolName = 'blockstore-pool';

const takenNames = /^(volume|snap|copy|source)-/;

/** Length of `volume-` and a UUID with every dash doubled. */
const volumePart = 48;
const longestDeviceName = 127;
/** With `_tdata` as long as the name of a volume. */
const longestPool = volumePart - 6;

function fitsDeviceMapper(group: string): boolean {
  return group.replaceAll('-', '--').length + 1 + volumePart <= longestDeviceName;
}

export const lvmFlags = {
  volume_group: flag(
    text
      .regex(/^[A-Za-z0-9_+][A-Za-z0-9_.+-]*$/, 'must be letters, digits and _ . + -, and begin with none of . and -')
      .refine((name) => !takenInDev.has(name), 'must not be the name of a directory that every system has in /dev')
      .refine(
        fitsDeviceMapper,
        'must leave room for "-volume-<id>" in the 127 characters of a device name, each dash twice',
      ),
    'nova-volumes',
    'LVM volume group of the volumes',
  ),
  storage_dev: flag(
    list,
    [],
    'block devices of the volume group; LVM reads no others. Empty: the devices of the existing group',
  ),
  storage_create: flag(
    yesNo,
    false,
    'create the volume group on storage_dev, and the pool of lvm_type = thin in the group, when they do not exist',
  ),
  volume_clear: flag(
    oneOf('zero', 'discard', 'none'),
    'zero',
    'how the data of a deleted volume is erased; none: only signatures at its start and end are',
  ),
  volume_clear_mibps: flag(whole(0, 1_000_000), 100, 'maximum rate of wiping per volume; 0: no limit', {
    unit: 'MiB/s',
  }),
  lvm_snapshot_percent: flag(
    whole(1, 100),
    100,
    'size of a snapshot in percent of its volume, reserved when it is made. Less than 100: its data is lost when more of the ' +
      'volume is overwritten',
    { unit: '%' },
  ),
  lvm_type: flag(
    oneOf('thick', 'thin'),
    'thick',
    'what new volumes are: thick have their whole size at once, thin take what is written to them from a thin pool of the group. ' +
      'Volumes that exist stay what they are',
  ),
  lvm_thin_pool: flag(
    text
      .regex(/^([A-Za-z0-9_+.][A-Za-z0-9_.+-]*)?$/, 'must be letters, digits and _ . + -, and not begin with -')
      .refine((name) => !takenNames.test(name), 'must not be the name of a volume or a snapshot')
      .refine((name) => name.replaceAll('-', '--').length <= longestPool, `must be at most ${longestPool} characters`),
    '',
    `thin pool in volume_group for lvm_type = thin; empty: one of its own, ${ownPoolName}. One that does not exist is made on the ` +
      'free space of the group with storage_create=true',
  ),
  max_over_subscription_ratio: flag(
    decimal(1, 1000),
    1,
    'how many times the size of the thin pool its volumes and snapshots may have in all. With 1 the pool never overflows; with more ' +
      'it is to be watched, and extended in time',
  ),
};
