import { errors } from '../../errors.ts';
import { statIfExists } from '../../files.ts';
import type { Processes } from '../../process.ts';
import { lvmSettings } from './configuration.ts';
import { checkEmpty, checkSectors, distinctDisks } from './new-group-disks.ts';
import { ForkedLvm } from './forked.ts';
import type { Lvm } from './lvm.ts';
import { type PhysicalVolume, physicalVolumes } from './reports.ts';

export interface GroupOptions {
  volumeGroup: string;
  storageDev: readonly string[];
  storageCreate: boolean;
  /** Of the group in an earlier run: tells it from another one that has the same name. */
  knownUuid?: string | undefined;
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
 * Size of the metadata area: a volume with its tags takes 560 bytes (measured), and LVM keeps two copies. This is enough for
 * more than 50,000 volumes; LVM's default of 1 MiB for about 900.
 */
const metadataMiB = 64;

const vgcreateTimeoutMs = 120_000;

/**
 * Finds the volume group, also when disks of it are missing, or creates it if the flags allow that.
 * Throws NoVolumeGroup, GroupAmbiguous, GroupIncomplete, GroupInaccessible, GroupUnreadable, StorageUnusable.
 */
export async function prepareGroup(processes: Processes, options: GroupOptions): Promise<Group> {
  const { volumeGroup, storageDev } = options;
  const found = await findGroup(processes, options);
  if (found) return found;
  const disks = await disksOfNewGroup(processes, options);
  const lvm = new ForkedLvm(processes, await lvmSettings(storageDev));
  await removeUnused(lvm);
  for (const disk of disks) await checkEmpty(processes, disk);
  const args = ['vgcreate', '--yes', '--metadatasize', `${metadataMiB}m`, volumeGroup, ...disks];
  const { status, messages } = await lvm.command(args, { timeoutMs: vgcreateTimeoutMs });
  if (status !== 0) throw errors.lvmFailed(`vgcreate ${volumeGroup} ${disks.join(' ')}`, messages.join('; '));
  const created = await findGroup(processes, options);
  if (!created) throw errors.noVolumeGroup(volumeGroup);
  return created;
}

/** Checks, where there is no group yet, whether prepareGroup would create it. Changes nothing. Throws as prepareGroup does. */
export async function checkNewGroup(processes: Processes, options: GroupOptions): Promise<void> {
  const disks = await disksOfNewGroup(processes, options);
  const { disks: marked } = await physicalVolumes(new ForkedLvm(processes, await lvmSettings(options.storageDev)));
  // A disk that is marked for LVM, and in no group, counts as empty.
  const unused = await distinctDisks(marked.filter(({ group }) => group === '').map(({ device }) => device));
  for (const disk of disks) if (!unused.includes(disk)) await checkEmpty(processes, disk);
}

/** Returns the disks of a group that does not exist yet; whether they are empty has not been examined. */
async function disksOfNewGroup(processes: Processes, options: GroupOptions): Promise<string[]> {
  const { volumeGroup, storageDev, storageCreate } = options;
  const absent = await firstAbsent(storageDev);
  if (absent !== undefined) throw errors.storageUnusable(absent, 'it does not exist');
  if (storageDev.length === 0 || !storageCreate) throw errors.noVolumeGroup(volumeGroup);
  const elsewhere = (await lookForGroup(processes, { ...options, storageDev: [] })).group;
  if (elsewhere) {
    const devices = elsewhere.devices.join(', ');
    throw errors.groupIncomplete(volumeGroup, `it is on ${devices}, which storage_dev does not list`);
  }
  const disks = await distinctDisks(storageDev);
  await checkSectors(disks);
  return disks;
}

/** Changes nothing. Throws as prepareGroup does. */
export async function findGroup(processes: Processes, options: GroupOptions): Promise<Group | undefined> {
  const { group, unreadable, warnings } = await lookForGroup(processes, options);
  if (!group && unreadable.length > 0) {
    throw errors.groupUnreadable(options.volumeGroup, unreadable, warnings.slice(0, 3).join('; '));
  }
  return group;
}

/** `unreadable`: disks of groups whose metadata cannot be read. */
async function lookForGroup(
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
  if (member.isExported) {
    throw errors.groupInaccessible(group, 'it is exported', `if it belongs to this host now: vgimport ${group}`);
  }
  if (member.mayBeForeign) await checkAccess(lvm, group);
  const missing = members
    .filter((disk) => disk.missing)
    .map((disk) => (isPresent(disk) ? { uuid: disk.uuid, device: disk.device } : { uuid: disk.uuid }));
  const devices = members.filter(isPresent).map(({ device }) => device);
  return { group: { uuid: member.groupUuid, devices, missing }, unreadable, warnings };
}

function isPresent({ device }: PhysicalVolume): boolean {
  return device.startsWith('/');
}

function ofOneGroup(disks: readonly PhysicalVolume[], { volumeGroup, knownUuid }: GroupOptions): PhysicalVolume[] {
  const members = disks.filter(({ group }) => group === volumeGroup);
  if (new Set(members.map(({ groupUuid }) => groupUuid)).size <= 1) return members;
  const known = members.filter(({ groupUuid }) => groupUuid === knownUuid);
  if (known.length > 0) return known;
  throw errors.groupAmbiguous(
    volumeGroup,
    members.map(({ device }) => device),
  );
}

/** LVM's own words say why a group of another host, or with locks of a cluster, is refused. */
async function checkAccess(lvm: Lvm, group: string): Promise<void> {
  const answer = await lvm.command(['vgs', '-o', 'vg_name', group]);
  if (answer.status === 0) return;
  const reason = answer.messages.join('; ');
  const hint = /system ID/i.test(reason)
    ? `if no other host uses the group: vgchange --systemid <this host's id> ${group} with local/extra_system_ids; see lvmsystemid(7)`
    : 'start lvmlockd and the lock manager of the group: see lvmlockd(8)';
  throw errors.groupInaccessible(group, reason, hint);
}

/**
 * Removes the mark of a disk that is marked for LVM but in no group, as a power loss during vgcreate leaves it. vgcreate then
 * creates a metadata area of the right size.
 */
async function removeUnused(lvm: Lvm): Promise<void> {
  const { disks } = await physicalVolumes(lvm);
  for (const { device, group } of disks) {
    if (group !== '') continue;
    const { status, messages } = await lvm.command(['pvremove', device]);
    if (status !== 0) throw errors.storageUnusable(device, messages.join('; '));
  }
}

async function firstAbsent(devices: readonly string[]): Promise<string | undefined> {
  for (const device of devices) if ((await statIfExists(device)) === undefined) return device;
  return undefined;
}
