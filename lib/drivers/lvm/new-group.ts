import { realpath } from 'node:fs/promises';
import { errors } from '../../errors.ts';
import { statIfExists } from '../../files.ts';
import type { Processes } from '../../process.ts';
import { lvmSettings } from './configuration.ts';
import { ForkedLvm } from './forked.ts';
import { type Group, type GroupOptions, findGroup, readGroup } from './group.ts';
import { groupOfVolumes } from './elsewhere.ts';
import { fileOfKnownUuid } from './known-uuid.ts';
import { checkEmpty, checkSectors, distinctDisks } from './new-group-disks.ts';
import { physicalVolumes } from './reports.ts';

/** What a volume group can be created on. */
interface Disks {
  all: string[];
  /** Those marked for LVM without being in a group, as a power loss during vgcreate leaves them. */
  marked: string[];
}

/**
 * Size of the metadata area: a volume with its tags takes 560 bytes (measured), and LVM keeps two copies. This is enough for
 * more than 50,000 volumes; LVM's default of 1 MiB for about 900.
 */
const metadataMiB = 64;

const vgcreateTimeoutMs = 120_000;

/**
 * Finds the volume group, also when disks of it are missing, or creates it if the flags allow that.
 * Throws NoVolumeGroup, VolumeGroupAmbiguous, GroupIncomplete, GroupInaccessible, GroupUnreadable, StorageUnusable.
 */
export async function prepareGroup(processes: Processes, options: GroupOptions): Promise<Group> {
  const found = (await findGroup(processes, options)).group;
  if (found) return found;
  await createGroup(processes, options, await disksForGroup(processes, options));
  const created = (await findGroup(processes, options)).group;
  if (!created) throw errors.noVolumeGroup(options.volumeGroup);
  return created;
}

/** Examines all that could be in the way of creating the group, and changes nothing. Throws as prepareGroup does. */
export async function disksForGroup(processes: Processes, options: GroupOptions): Promise<Disks> {
  const { volumeGroup, storageDev, storageCreate, knownUuid, directory } = options;
  const absent = await firstAbsent(storageDev);
  if (absent !== undefined)
    throw errors.storageUnusable(absent, 'it does not exist', 'connect the disk, or correct storage_dev');
  if (knownUuid !== undefined) {
    const other = await groupOfVolumes(processes, storageDev);
    if (other !== undefined && other !== volumeGroup) {
      throw errors.groupMerged(volumeGroup, other, fileOfKnownUuid(directory));
    }
  }
  if (storageDev.length === 0 || !storageCreate) {
    throw knownUuid === undefined
      ? errors.noVolumeGroup(volumeGroup)
      : errors.groupGone(volumeGroup, fileOfKnownUuid(directory));
  }
  const elsewhere = (await readGroup(processes, { ...options, storageDev: [] })).group;
  if (elsewhere) {
    const devices = elsewhere.devices.join(', ');
    throw errors.groupIncomplete(volumeGroup, `it is on ${devices}, which storage_dev does not list`);
  }
  if (knownUuid !== undefined) {
    throw errors.groupReplaced(
      volumeGroup,
      fileOfKnownUuid(directory),
      'that one is gone, and a new one would be empty',
    );
  }
  const all = await distinctDisks(storageDev);
  await checkSectors(all);
  const { disks } = await physicalVolumes(new ForkedLvm(processes, await lvmSettings(storageDev)));
  const marked = await Promise.all(disks.filter(({ group }) => group === '').map(({ device }) => realpath(device)));
  for (const disk of all) await checkEmpty(processes, disk, marked.includes(disk) ? ['LVM2_member'] : []);
  return { all, marked };
}

async function createGroup(processes: Processes, options: GroupOptions, { all, marked }: Disks): Promise<void> {
  const { volumeGroup, storageDev } = options;
  const lvm = new ForkedLvm(processes, await lvmSettings(storageDev));
  // Unmarked, they get a metadata area of the right size.
  for (const disk of marked) {
    const { status, messages } = await lvm.command(['pvremove', disk]);
    if (status !== 0) throw errors.storageUnusable(disk, messages.join('; '));
  }
  const args = ['vgcreate', '--yes', '--metadatasize', `${metadataMiB}m`, volumeGroup, ...all];
  const { status, messages } = await lvm.command(args, { timeoutMs: vgcreateTimeoutMs });
  if (status !== 0) throw errors.lvmFailed(`vgcreate ${volumeGroup} ${all.join(' ')}`, messages.join('; '));
}

async function firstAbsent(devices: readonly string[]): Promise<string | undefined> {
  for (const device of devices) if ((await statIfExists(device)) === undefined) return device;
  return undefined;
}
