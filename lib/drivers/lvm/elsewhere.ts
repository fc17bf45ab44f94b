import { z } from 'zod';
import type { Processes } from '../../process.ts';
import { lvmSettings } from './configuration.ts';
import { ForkedLvm } from './forked.ts';
import { ourTag } from './tags.ts';

const row = z.object({ vg_name: z.string(), lv_name: z.string() });

/**
 * Returns which logical volume of another group has a volume's data, as after vgsplit, with the command that undoes it; undefined
 * where there is none. `storageDev`: the disks that LVM is to read.
 */
export async function leftElsewhere(
  processes: Processes,
  { volumeGroup: group, storageDev }: { volumeGroup: string; storageDev: readonly string[] },
  { id }: { id: string },
): Promise<string | undefined> {
  const lvm = new ForkedLvm(processes, await lvmSettings(storageDev));
  // What it reports of other groups counts, also where it could not read all of them.
  const { rows } = await lvm.command(['lvs', '-o', 'vg_name,lv_name', `@${ourTag}:id=${id}`]);
  const found = rows.flatMap((one) => row.safeParse(one).data ?? []).find(({ vg_name: name }) => name !== group);
  if (!found) return undefined;
  const { vg_name: other, lv_name: name } = found;
  return (
    `its logical volume is in volume group ${other}; to undo that: vgchange -an ${other} && vgmerge ${group} ${other}; ` +
    `if it is a copy: lvchange --deltag ${ourTag}:id=${id} ${other}/${name}`
  );
}

/** Returns a group that has volumes of blockstore, in place of one that is gone, as after vgmerge; undefined where there is none. */
export async function groupOfVolumes(processes: Processes, storageDev: readonly string[]): Promise<string | undefined> {
  const lvm = new ForkedLvm(processes, await lvmSettings(storageDev));
  const { rows } = await lvm.command(['lvs', '-o', 'vg_name,lv_name', `@${ourTag}`]);
  return rows.flatMap((one) => row.safeParse(one).data ?? [])[0]?.vg_name;
}
