import { deviceName } from './device-name.ts';
import { snapshotIdIn, sourceIdIn } from './snapshot-tags.ts';
import type { LogicalVolume, OneLogicalVolume } from './reports.ts';

/** Forms of a logical volume that are its own data and nothing else. */
const plainLayouts = /^(linear|striped|mirror|raid.*|partial|unknown)$/;
/** A thin volume shares blocks with snapshots, but needs none of them. */
const thinLayouts = /^(thin|sparse|partial|unknown)$/;

/**
 * Returns what is in the way of wiping and removing a logical volume, each with the command that releases it. LVM itself would
 * remove snapshots and caches together with their volume. LVM wipes no extent that it frees, so the last command does where
 * data of the volume is left in some; the extents of a thin volume stay in its pool. `dependants` are those that LVM would remove.
 */
export function obstaclesTo(found: OneLogicalVolume, name: string): string[] {
  const group = name.split('/')[0] ?? '';
  const ours = found.dependants.filter((dependant) => snapshotIdIn(dependant) ?? sourceIdIn(dependant));
  const dependants = found.dependants.filter((one) => !ours.includes(one)).map((dependant) => `${group}/${dependant}`);
  const plain = found.isThin ? thinLayouts : plainLayouts;
  const odd = found.layout.filter((word) => !plain.test(word));
  const isOrigin = found.dependants.length > 0 || (found.isThin ? found.isMerging : found.roles.includes('origin'));
  const isThickOrigin = found.roles.includes('thickorigin');
  const obstacles = ownObstacles(ours);
  if (dependants.length > 0 && isThickOrigin) {
    const commands = dependants.map(wipeSnapshot).join(' && ');
    obstacles.push(`LVM snapshots of it hold its data; to wipe and remove the snapshots: ${commands}`);
  } else if (dependants.length > 0) {
    obstacles.push(`LVM thin volumes depend on it; remove them: lvremove ${dependants.join(' ')}`);
  } else if (isOrigin && ours.length === 0) {
    obstacles.push(`LVM merges a snapshot into it; wait until it is merged: lvs -a ${group}`);
  }
  if (odd.includes('cache') || odd.includes('writecache')) {
    obstacles.push(`LVM caches it; write the cache back: lvconvert --uncache ${name}`);
  } else if (odd.length > 0) {
    obstacles.push(`LVM uses it as ${odd.join(', ')}; copy what is needed, then: lvremove ${name}`);
  }
  if (found.locked) obstacles.push('pvmove is moving it; wait for it, or: pvmove --abort');
  if (found.isStale)
    obstacles.push(`one of its images failed and is not written; write it again: lvchange --refresh ${name}`);
  if (found.suspended) obstacles.push(isSuspended(name));
  const isSplitOff = isThickOrigin && found.dependants.length > 0;
  const freesData = !found.isThin && (odd.length > 0 || found.locked || (isOrigin && !isSplitOff));
  if (freesData) obstacles.push(`then wipe the extents that this frees: ${wipeFree(group)}`);
  return obstacles;
}

/** Returns what is in the way where a thin volume has a part of its data in a logical volume outside of its pool. */
export function externalOrigin(origin: string, name: string): string {
  const [group = ''] = name.split('/');
  return (
    `a part of its data is in its external origin ${group}/${origin}, as lvconvert --type thin leaves it; copy what is needed, ` +
    `then: lvremove ${name} && ${wipeAndRemove(`${group}/${origin}`)}`
  );
}

/** Of snapshots of the volume, and of copies that are being made of it. */
function ownObstacles(names: readonly string[]): string[] {
  const snapshots = names.map(snapshotIdIn).filter((id) => id !== undefined);
  const copies = names.map(sourceIdIn).filter((id) => id !== undefined);
  return [
    ...(snapshots.length === 0 ? [] : [`it has snapshots, which are to be deleted first: ${snapshots.join(', ')}`]),
    ...(copies.length === 0 ? [] : [`it is being copied to volume ${copies.join(', ')}`]),
  ];
}

/**
 * Returns what is in the way where an image of a mirror is split off (lvconvert --splitmirrors --trackchanges): it is
 * removed with the volume, and a wipe does not reach it. Of all images it alone is among the visible logical volumes.
 */
export function splitOff(volumes: readonly Pick<LogicalVolume, 'name'>[], name: string): string | undefined {
  const [group = '', own = ''] = name.split('/');
  const image = volumes.find((volume) => volume.name.startsWith(`${own}_rimage_`));
  return (
    image && `an image of it is split off and keeps its data; take it back: lvconvert --merge ${group}/${image.name}`
  );
}

/** Split off, the area with the former blocks of the volume is a logical volume that can be written. */
function wipeSnapshot(name: string): string {
  return `lvconvert -y --splitsnapshot ${name} && ${wipeAndRemove(name)}`;
}

/** No command reaches the freed extents alone. */
function wipeFree(group: string): string {
  return `lvcreate -y -Wn -l 100%FREE -n scratch ${group} && ${wipeAndRemove(`${group}/scratch`)}`;
}

function wipeAndRemove(name: string): string {
  return `blkdiscard --force --zeroout /dev/${name} && lvremove -y ${name}`;
}

/** What is in the way where somebody else has suspended it. */
export function isSuspended(name: string): string {
  return `its device is suspended: dmsetup resume ${deviceName(name)}`;
}

/** What is in the way of wiping alone. */
export function readOnly(name: string): string {
  return `it is read-only: lvchange --permission rw ${name}, and see activation/read_only_volume_list in lvm.conf`;
}
