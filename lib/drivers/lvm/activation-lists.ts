import { type Finding, bad } from '../../check.ts';
import type { Processes } from '../../process.ts';
import { ourTag } from './tags.ts';

/** Finds settings of the host by which LVM leaves volumes of the group inactive, or read-only, without an error. */
export async function checkActivationLists(processes: Processes, group: string): Promise<Finding[]> {
  // Of all sections: lvmconfig fails where it is asked for one that lvm.conf does not have.
  const { stdout } = await processes.run('lvm', ['lvmconfig', '--type', 'current'], { asRoot: true });
  const volumes = listIn(stdout, 'volume_list');
  const readOnly = listIn(stdout, 'read_only_volume_list');
  const found: Finding[] = [];
  if (volumes !== undefined && !names(volumes, group)) {
    found.push(
      bad(
        `LVM does not activate volumes of group ${group}: activation/volume_list in lvm.conf does not name it`,
        `add "${group}" to activation/volume_list in /etc/lvm/lvm.conf, then restart the daemon`,
      ),
    );
  }
  if (readOnly !== undefined && names(readOnly, group)) {
    found.push(
      bad(
        `LVM activates volumes of group ${group} read-only: activation/read_only_volume_list in lvm.conf names it`,
        `remove "${group}" from activation/read_only_volume_list in /etc/lvm/lvm.conf, then restart the daemon`,
      ),
    );
  }
  return found;
}

/** Returns undefined when the host does not set the list. */
function listIn(settings: string, name: string): string[] | undefined {
  const text = new RegExp(`^\\s*${name}=(.*)$`, 'm').exec(settings)?.[1];
  return text === undefined ? undefined : Array.from(text.matchAll(/"([^"]*)"/g), ([, entry = '']) => entry);
}

/** Entries are names of groups, group/volume, @tag, or @* for the tags of the host. */
function names(list: readonly string[], group: string): boolean {
  return list.some((entry) => [group, `@${ourTag}`, '@*'].includes(entry) || entry.startsWith(`${group}/`));
}
