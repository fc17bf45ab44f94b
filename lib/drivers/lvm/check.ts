import { byteSize } from '../../format-bytes.ts';
import { type Finding, bad, ok } from '../../check.ts';
import { errors } from '../../errors.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import type { Processes } from '../../process.ts';
import { lvmSettings } from './configuration.ts';
import type { lvmFlags } from './flags.ts';
import { ForkedLvm } from './forked.ts';
import { checkNewGroup, findGroup } from './group.ts';
import { groupSpace } from './reports.ts';

/** Looks at the group as the daemon does, with the same settings. Throws the errors of prepareGroup. */
export async function checkVolumeGroup(flags: ValuesOf<typeof lvmFlags>, processes: Processes): Promise<Finding[]> {
  const { volume_group: volumeGroup, storage_dev: storageDev, storage_create: storageCreate } = flags;
  const options = { volumeGroup, storageDev, storageCreate };
  const group = await findGroup(processes, options);
  if (!group) {
    await checkNewGroup(processes, options);
    return [ok(`the daemon will create volume group ${volumeGroup} on ${storageDev.join(', ')}`)];
  }
  const lvm = new ForkedLvm(processes, await lvmSettings(storageDev));
  const { sizeBytes, freeBytes } = await groupSpace(lvm, volumeGroup);
  const found = [ok(`volume group ${volumeGroup}: ${byteSize(freeBytes)} free of ${byteSize(sizeBytes)}`)];
  for (const { uuid, device } of group.missing) {
    const { message, hint } =
      device === undefined
        ? errors.groupIncomplete(volumeGroup, `UUID ${uuid}`)
        : errors.diskMarkedMissing(volumeGroup, device, uuid);
    found.push(bad(message, hint ?? ''));
  }
  return found;
}
