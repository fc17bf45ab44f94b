import { byteSize } from '../../format-bytes.ts';
import { type Finding, bad, ok, warn } from '../../check.ts';
import { errors } from '../../errors.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import type { Processes } from '../../process.ts';
import { checkActivationLists } from './activation-lists.ts';
import { checkThinPool } from './check-thin-pool.ts';
import { lvmSettings } from './configuration.ts';
import { extentProblem } from './extents.ts';
import type { lvmFlags } from './flags.ts';
import { ForkedLvm } from './forked.ts';
import { type Group, findGroup } from './group.ts';
import { readKnownUuid } from './known-uuid.ts';
import { disksForGroup } from './new-group.ts';
import { groupSpace } from './reports.ts';

/**
 * Examines the group as the daemon does, with the same settings, and changes nothing. `directory` is that of the driver. Throws
 * the errors of prepareGroup.
 */
export async function checkVolumeGroup(
  flags: ValuesOf<typeof lvmFlags>,
  directory: string,
  processes: Processes,
): Promise<Finding[]> {
  const { volume_group: volumeGroup, storage_dev: storageDev, storage_create: storageCreate } = flags;
  // Only the daemon's user may read it, and only a second group of the same name makes a difference.
  const knownUuid = await readKnownUuid(directory).catch(() => undefined);
  const options = { volumeGroup, storageDev, storageCreate, knownUuid, directory };
  const { group, warnings } = await findGroup(processes, options);
  if (!group) {
    const { all } = await disksForGroup(processes, options);
    return [ok(`the daemon will create volume group ${volumeGroup} on ${all.join(', ')}`)];
  }
  const lvm = new ForkedLvm(processes, await lvmSettings(group.devices));
  const { sizeBytes, freeBytes, extentBytes, tags } = await groupSpace(lvm, volumeGroup);
  return [
    ok(`volume group ${volumeGroup}: ${byteSize(freeBytes)} free of ${byteSize(sizeBytes)}`),
    ...group.missing.map((disk) => missingDisk(volumeGroup, disk)),
    ...damage(volumeGroup, warnings),
    ...[extentProblem(volumeGroup, extentBytes)].filter((finding) => finding !== undefined),
    ...(await checkThinPool(lvm, flags, processes)),
    ...(await checkActivationLists(processes, volumeGroup, tags)),
  ];
}

/** LVM reads a group from any intact copy of its metadata, and only warns of the others. */
function damage(volumeGroup: string, warnings: readonly string[]): Finding[] {
  const ofMetadata = warnings.filter((text) => /metadata|mda|checksum|repair/i.test(text));
  if (ofMetadata.length === 0) return [];
  const hint = `copy the metadata first (vgcfgbackup ${volumeGroup}), check the disk, then: vgck --updatemetadata ${volumeGroup}`;
  return [warn(`LVM warns of volume group ${volumeGroup}: ${ofMetadata.slice(0, 3).join('; ')}`, hint)];
}

function missingDisk(volumeGroup: string, { uuid, device }: Group['missing'][number]): Finding {
  const { message, hint } =
    device === undefined
      ? errors.groupIncomplete(volumeGroup, `UUID ${uuid}`)
      : errors.diskMarkedMissing(volumeGroup, device, uuid);
  return bad(message, hint ?? '');
}
