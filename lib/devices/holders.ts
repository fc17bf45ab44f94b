import { readAttribute } from '../files.ts';

/**
 * Returns a description of a device that is built on another one, with the command that releases it. `name` is its kernel name: dm-0, md0, …
 */
export async function describeHolder(name: string): Promise<string> {
  if (name.startsWith('md')) return `part of RAID device ${name} (to release it: mdadm --stop /dev/${name})`;
  const read = async (file: string) => ((await readAttribute(`/sys/block/${name}/dm/${file}`)) ?? '').trim();
  const [map, uuid] = await Promise.all([read('name'), read('uuid')]);
  return map === '' ? `part of ${name}` : describeMap(map, uuid);
}

/** The UUID of a device-mapper map begins with its kind. */
export function describeMap(map: string, uuid: string): string {
  if (uuid.startsWith('LVM-')) {
    const group = volumeGroupOf(map);
    return `part of LVM volume group ${group} (to release it: vgchange -an ${group})`;
  }
  if (uuid.startsWith('mpath-')) return `part of multipath map ${map} (to release it: multipath -f ${map})`;
  if (uuid.startsWith('CRYPT-')) return `part of encrypted device ${map} (to release it: cryptsetup close ${map})`;
  return `part of device-mapper map ${map} (to release it: dmsetup remove ${map})`;
}

/** LVM names a map group-volume, each hyphen inside either name doubled. */
function volumeGroupOf(map: string): string {
  const [group = map] = /^(?:[^-]|--)+/.exec(map) ?? [];
  return group.replaceAll('--', '-');
}
