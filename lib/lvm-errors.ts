import { BlockstoreError } from './blockstore-error.ts';
import { byteSize } from './format-bytes.ts';

const seeLvm = 'correct the cause that LVM names, then retry; for more, run the command on the node with --verbose';

const seeLvmHang = 'retry; if it fails again, run "lvm vgs" on the node, and read dmesg';

/** Errors of LVM: volume groups, their disks, and commands. */
export const lvmErrors = {
  pauseTooLong: (volumes: number, seconds: number) =>
    new BlockstoreError(
      'PauseTooLong',
      'failed',
      `the snapshots of ${volumes} volumes were not taken within ${seconds} s, for which their writers can be paused`,
      'repeat it while the node is less busy, or take volumes out of the group',
    ),
  notResumed: (device: string, reason: string) =>
    new BlockstoreError(
      'NotResumed',
      'failed',
      `device ${device} was suspended for a snapshot and cannot be resumed: ${reason}`,
      `run on the node: dmsetup resume ${device}`,
    ),
  noVolumeGroup: (group: string) =>
    new BlockstoreError(
      'NoVolumeGroup',
      'failed',
      `volume group ${group} does not exist`,
      'create it with vgcreate, or set storage_dev and storage_create=true, then restart the daemon; if it exists, a filter ' +
        'or the devices file of LVM hides its disks: list them in storage_dev',
    ),
  groupRenamed: (group: string, name: string) =>
    new BlockstoreError(
      'NoVolumeGroup',
      'failed',
      `volume group ${group} does not exist: it was renamed to ${name}`,
      `give it back its name: vgrename ${name} ${group}`,
    ),
  groupGone: (group: string, file: string) =>
    new BlockstoreError(
      'NoVolumeGroup',
      'failed',
      `volume group ${group}, which this node used before, is not found`,
      'reconnect its disks; if a filter or the devices file of LVM hides them, list them in storage_dev; if it was ' +
        `replaced on purpose: rm ${file}, then restart the daemon`,
    ),
  groupMerged: (group: string, other: string, file: string) =>
    new BlockstoreError(
      'NoVolumeGroup',
      'failed',
      `volume group ${group}, which this node used before, is not found; group ${other} has volumes of blockstore, as after vgmerge`,
      `if they are this node's: set volume_group = ${other}, rm ${file}, and restart the daemon; or split the disks off ` +
        `again (vgchange -an ${other} && vgsplit ${other} ${group} DISK), then rm ${file}; if not, reconnect the disks of ${group}`,
    ),
  groupIncomplete: (group: string, reason: string) =>
    new BlockstoreError(
      'GroupIncomplete',
      'unavailable',
      `volume group ${group} is missing a disk: ${reason}`,
      'reconnect the disk, or add it to storage_dev and restart the daemon; one that lost its LVM label: pvcreate ' +
        '--restorefile, see vgcfgrestore(8). Volumes on the other disks are served',
    ),
  diskMarkedMissing: (group: string, device: string, uuid: string) =>
    new BlockstoreError(
      'GroupIncomplete',
      'unavailable',
      `volume group ${group}: the disk ${device} (${uuid}) is back, but the group was changed without it`,
      `check that the disk is healthy, then: vgextend --restoremissing ${group} ${device}`,
    ),
  diskMissing: (volume: string, group: string, disks: string) =>
    new BlockstoreError(
      'DiskMissing',
      'unavailable',
      `volume ${volume} cannot be used: volume group ${group} is missing the disk with UUID ${disks}`,
      'reconnect the disk; the volume is served again with the next report',
    ),
  groupInaccessible: (group: string, reason: string, hint: string) =>
    new BlockstoreError('GroupInaccessible', 'failed', `volume group ${group} cannot be used here: ${reason}`, hint),
  groupExported: (group: string) =>
    lvmErrors.groupInaccessible(group, 'it is exported', `if it belongs to this host now: vgimport ${group}`),
  groupUnreadable: (group: string, devices: readonly string[], reason: string) =>
    new BlockstoreError(
      'GroupUnreadable',
      'failed',
      `${devices.join(', ')} belongs to a volume group whose metadata cannot be read: ${reason}`,
      `do not wipe it; if it is a disk of ${group}, list all its disks in storage_dev, or restore: vgcfgrestore ${group}`,
    ),
  sectorsDiffer: (devices: readonly string[]) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `disks with different sector sizes cannot be in one volume group: ${devices.join(', ')}`,
      'set storage_dev to disks of one sector size; use enabled_backends for several groups',
    ),
  notActivated: (volume: string, path: string) =>
    new BlockstoreError(
      'NotActivated',
      'failed',
      `volume ${volume} cannot be used: LVM leaves ${path} inactive without an error`,
      'add the group to activation/volume_list in /etc/lvm/lvm.conf ("lvmconfig activation/volume_list"), or unset it',
    ),
  notDevice: (volume: string, path: string) =>
    new BlockstoreError(
      'NotActivated',
      'failed',
      `volume ${volume} cannot be used: ${path} is not its device, but a file that somebody wrote while it was inactive`,
      `move the file away: mv ${path} DIRECTORY; then retry, and copy it to the volume if it is meant to be there`,
    ),
  volumeGroupAmbiguous: (group: string, devices: readonly string[]) =>
    new BlockstoreError(
      'VolumeGroupAmbiguous',
      'conflict',
      `more than one volume group is named ${group}: on ${devices.join(', ')}`,
      'set storage_dev to the devices of the right group',
    ),
  groupReplaced: (group: string, file: string, found: string) =>
    new BlockstoreError(
      'VolumeGroupAmbiguous',
      'conflict',
      `volume group ${group} is not the one that this node used before: ${found}`,
      `reconnect the disks of the former group; if it was replaced on purpose: rm ${file}, then restart the daemon`,
    ),
  disksCopied: (group: string, copies: readonly string[]) =>
    new BlockstoreError(
      'VolumeGroupAmbiguous',
      'conflict',
      `volume group ${group}: disks have the same UUID, so one is a copy or another path of the other: ${copies.join(', ')}`,
      'set storage_dev to the right ones (with multipath, to /dev/mapper/NAME), or give the copy another UUID: vgimportclone',
    ),
  groupFull: (group: string) =>
    new BlockstoreError(
      'GroupFull',
      'exhausted',
      `the metadata area of volume group ${group} is full`,
      'delete volumes, add a node, or use a group created with "vgcreate --metadatasize 64m" (storage_create=true does so)',
    ),
  groupAtLimit: (group: string, reason: string) =>
    new BlockstoreError(
      'GroupFull',
      'exhausted',
      `volume group ${group} takes no more logical volumes: ${reason}`,
      `remove its limit: vgchange --maxlogicalvolumes 0 ${group}`,
    ),
  notAllocatable: (group: string, freeBytes: number, reason: string) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `volume group ${group} has ${byteSize(freeBytes)} free, but LVM allocates none of it: ${reason}`,
      'see which disk allows no allocations (pvs -o +pv_allocatable): pvchange --allocatable y DEVICE; or whether the group ' +
        `allocates contiguously (vgs -o +vg_allocation_policy): vgchange --alloc normal ${group}`,
    ),
  lvmFailed: (command: string, reason: string) =>
    new BlockstoreError('LvmFailed', 'failed', `"${command}" failed: ${reason}`, seeLvm),
  targetMissing: (command: string, reason: string) =>
    new BlockstoreError(
      'LvmFailed',
      'failed',
      `"${command}" failed: ${reason}`,
      'load the modules of snapshots and thin volumes: modprobe -a dm_snapshot dm_thin_pool; then retry',
    ),
  lvmInterrupted: (command: string, reason: string) =>
    new BlockstoreError('LvmInterrupted', 'unavailable', `"${command}" did not complete: ${reason}`, seeLvmHang),
};
