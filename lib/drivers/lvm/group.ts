import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { lvmSettings } from './configuration.ts';
import { ForkedLvm } from './forked.ts';
import { fileOfKnownUuid } from './known-uuid.ts';
import type { Lvm } from './lvm.ts';
import { type PhysicalVolume, physicalVolumes } from './reports.ts';

export interface GroupOptions {
  volumeGroup: string;
  storageDev: readonly string[];
  storageCreate: boolean;
  /** Of the group in an earlier run: tells it from another one that has the same name. */
  knownUuid?: string | undefined;
  /** Has the file with that UUID. */
  directory: string;
}

export interface Group {
  uuid: string;
  /** Its disks that are present. */
  devices: string[];
  missing: readonly MissingDisk[];
}

export interface MissingDisk {
  uuid: string;
  /** Where LVM sees it, when it is back after changes of the group that were made without it. */
  device?: string;
}

/**
 * Returns the volume group, also when disks of it are missing, and what LVM warned of.
 * Throws VolumeGroupAmbiguous, GroupInaccessible, GroupUnreadable.
 */
export async function findGroup(
  processes: Processes,
  options: GroupOptions,
): Promise<{ group?: Group; warnings: string[] }> {
  const { group, unreadable, warnings } = await readGroup(processes, options);
  if (!group && unreadable.length > 0) {
    throw errors.groupUnreadable(options.volumeGroup, unreadable, warnings.slice(0, 3).join('; '));
  }
  return group ? { group, warnings } : { warnings };
}

/** Returns as well the disks of groups whose metadata cannot be read, and what LVM warned of. Throws as findGroup does. */
export async function readGroup(
  processes: Processes,
  options: GroupOptions,
): Promise<{ group?: Group; unreadable: string[]; warnings: string[] }> {
  const { volumeGroup: group, storageDev } = options;
  const lvm = new ForkedLvm(processes, await lvmSettings(storageDev));
  const { disks, warnings } = await physicalVolumes(lvm);
  const members = ofOneGroup(disks, options);
  const unreadable = disks.filter((disk) => disk.group === '[unknown]').map(({ device }) => device);
  const [member] = members;
  if (!member) return { unreadable, warnings };
  refuseCopies(group, members, disks);
  if (member.isExported) throw errors.groupExported(group);
  if (member.mayBeForeign) await checkAccess(lvm, group, member);
  const missing = members
    .filter((disk) => disk.missing)
    .map((disk) => (isPresent(disk) ? { uuid: disk.uuid, device: disk.device } : { uuid: disk.uuid }));
  const devices = members.filter(isPresent).map(({ device }) => device);
  return { group: { uuid: member.groupUuid, devices, missing }, unreadable, warnings };
}

function isPresent({ device }: PhysicalVolume): boolean {
  return device.startsWith('/');
}

function ofOneGroup(disks: readonly PhysicalVolume[], options: GroupOptions): PhysicalVolume[] {
  const { volumeGroup, knownUuid, directory } = options;
  const members = disks.filter(({ group }) => group === volumeGroup);
  const known = members.filter(({ groupUuid }) => groupUuid === knownUuid);
  if (known.length > 0) return known;
  const renamed = knownUuid === undefined ? undefined : disks.find(({ groupUuid }) => groupUuid === knownUuid);
  if (renamed) throw errors.groupRenamed(volumeGroup, renamed.group);
  const uuids = new Set(members.map(({ groupUuid }) => groupUuid));
  if (uuids.size === 0) return members;
  if (uuids.size === 1 && knownUuid === undefined) return members;
  if (uuids.size === 1) throw errors.groupReplaced(volumeGroup, fileOfKnownUuid(directory), [...uuids].join());
  throw errors.volumeGroupAmbiguous(
    volumeGroup,
    members.map(({ device }) => device),
  );
}

/** LVM would use either, and after the next start perhaps the other one. */
function refuseCopies(group: string, members: readonly PhysicalVolume[], disks: readonly PhysicalVolume[]): void {
  const uuids = new Set(disks.filter(({ isCopy }) => isCopy).map(({ uuid }) => uuid));
  const copied = members.filter(({ uuid }) => uuids.has(uuid)).map(({ uuid }) => uuid);
  if (copied.length === 0) return;
  const names = disks.filter(({ uuid }) => copied.includes(uuid)).map(({ device }) => device);
  throw errors.disksCopied(group, [...new Set(names)]);
}

/** LVM's own words say why a group of another host, or with locks of a cluster, is refused. */
async function checkAccess(lvm: Lvm, group: string, { systemId }: PhysicalVolume): Promise<void> {
  const answer = await lvm.command(['vgs', '-o', 'vg_name', group]);
  if (answer.status === 0) return;
  const reason = answer.messages.join('; ');
  const hint = /system ID/i.test(reason)
    ? `if no other host uses the group: vgchange --config 'local/extra_system_ids=["${systemId}"]' --systemid ID ${group}, ` +
      'where ID is what "lvm systemid" prints here, or "" for none; see lvmsystemid(7)'
    : 'start lvmlockd and the lock manager of the group: see lvmlockd(8)';
  throw errors.groupInaccessible(group, reason, hint);
}
