import { type Finding, bad } from '../../check.ts';
import type { Processes } from '../../process.ts';
import { hostTags } from './host-tags.ts';
import { ourTag } from './tags.ts';

const file = '/etc/lvm/lvm.conf';

/** Finds settings of the host by which LVM leaves volumes of the group inactive, or read-only, without an error. */
export async function checkActivationLists(
  processes: Processes,
  group: string,
  groupTags: readonly string[],
): Promise<Finding[]> {
  // Of all sections: lvmconfig fails where it is asked for one that lvm.conf does not have.
  const { stdout } = await processes.run('lvm', ['lvmconfig', '--type', 'current'], { asRoot: true });
  const volumes = listIn(stdout, 'volume_list');
  const readOnly = listIn(stdout, 'read_only_volume_list');
  const ofHost = await hostTags(processes);
  const [hostTag] = ofHost;
  const matches = (entry: string) => namesGroup(entry, group, [ourTag, ...groupTags], ofHost);
  const found: Finding[] = [];
  if (volumes !== undefined && !volumes.some(matches)) {
    found.push(
      bad(
        `LVM does not activate volumes of group ${group}: activation/volume_list in lvm.conf does not name it`,
        `add "${group}" to activation/volume_list in ${file}, then restart the daemon`,
      ),
    );
  }
  // Without the list a host that has tags activates what has one of them.
  if (volumes === undefined && hostTag !== undefined && !matches('@*')) {
    found.push(
      bad(
        `LVM does not activate volumes of group ${group}: it has none of the host tags ${ofHost.join(', ')} of lvm.conf`,
        `add "${group}" to activation/volume_list in ${file}, or: vgchange --addtag ${hostTag} ${group}; then restart the daemon`,
      ),
    );
  }
  const entry = readOnly?.find(matches);
  if (entry !== undefined) {
    found.push(
      bad(
        `LVM activates volumes of group ${group} read-only: activation/read_only_volume_list in lvm.conf names it`,
        `remove "${entry}" from activation/read_only_volume_list in ${file}, then restart the daemon`,
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

/**
 * Whether an entry selects every volume of ours: a group, a tag of it or of all volumes, or @* for any tag of the host. Not
 * group/volume.
 */
function namesGroup(entry: string, group: string, tags: readonly string[], ofHost: readonly string[]): boolean {
  if (entry === '@*') return ofHost.some((tag) => tags.includes(tag));
  return entry === group || tags.some((tag) => entry === `@${tag}`);
}
