import { withoutProgramGuest } from '../../../support/program-guest.ts';

/** What the guest of the tests has of this host. */
export const programs =
  'nvme redis-server setsid blockdev losetup dmsetup lvm thin_check wipefs blkdiscard dd tee rm rmdir ls cp readlink flock perl'.split(
    ' ',
  );

/** Of its kernel. */
export const modules = [
  'fs/configfs/configfs',
  'drivers/block/loop',
  'drivers/md/dm-mod',
  'drivers/md/dm-bio-prison',
  'drivers/md/dm-bufio',
  'lib/libcrc32c',
  'drivers/md/persistent-data/dm-persistent-data',
  'drivers/md/dm-thin-pool',
  'drivers/nvme/target/nvmet',
  'drivers/nvme/target/nvmet-tcp',
  'drivers/nvme/host/nvme-fabrics',
  'drivers/nvme/host/nvme-tcp',
];

/** Returns why no guest with the kernel's NVMe target can run here; undefined if one can. */
export async function missingForNvmet(): Promise<string | undefined> {
  const reason = withoutProgramGuest(programs);
  return reason && `tests with a guest that has NVMe over TCP: ${reason}`;
}
