import { stat } from 'node:fs/promises';
import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { ForkedLvm } from './forked.ts';
import { lvmSettings } from './configuration.ts';
import type { Lvm } from './lvm.ts';
import { type PhysicalVolume, physicalVolumes } from './reports.ts';

interface GroupOptions {
  volumeGroup: string;
  storageDev: readonly string[];
  storageCreate: boolean;
}

/**
 * Size of the metadata area: a volume with its tags takes 560 bytes (measured), and LVM keeps two copies. This is enough for
 * more than 50,000 volumes; LVM's default of 1 MiB for about 900.
 */
const metadataMiB = 64;

const vgcreateTimeoutMs = 120_000;

/**
 * Finds the volume group, or creates it if the flags allow that. Returns its devices.
 * Throws NoVolumeGroup, GroupAmbiguous, GroupIncomplete, StorageUnusable.
 */
export async function prepareGroup(processes: Processes, options: GroupOptions): Promise<string[]> {
  const { volumeGroup, storageDev, storageCreate } = options;
  const found = await findGroup(processes, volumeGroup, storageDev);
  if (found) return found;
  if (storageDev.length === 0 || !storageCreate) throw errors.noVolumeGroup(volumeGroup);
  const elsewhere = await findGroup(processes, volumeGroup, []);
  if (elsewhere) {
    throw errors.groupIncomplete(volumeGroup, `it is also on ${elsewhere.join(', ')}, which storage_dev does not list`);
  }
  const settings = await lvmSettings(storageDev);
  await removeUnused(new ForkedLvm(processes, settings));
  for (const device of storageDev) await checkEmpty(processes, device);
  const args = [
    'vgcreate',
    '--yes',
    '--config',
    settings,
    '--metadatasize',
    `${metadataMiB}m`,
    volumeGroup,
    ...storageDev,
  ];
  await processes.run('lvm', args, { asRoot: true, timeoutMs: vgcreateTimeoutMs });
  return [...storageDev];
}

async function findGroup(
  processes: Processes,
  group: string,
  devices: readonly string[],
): Promise<string[] | undefined> {
  const lvm = new ForkedLvm(processes, await lvmSettings(devices));
  const members = (await physicalVolumes(lvm)).filter((volume) => volume.group === group);
  if (members.length === 0) return undefined;
  if (new Set(members.map((volume) => volume.groupUuid)).size > 1) throw errors.groupAmbiguous(group, names(members));
  if (members.some((volume) => volume.missing)) {
    const there = names(members.filter((volume) => !volume.missing)).join(', ');
    throw errors.groupIncomplete(group, `only ${there} of its disks are present`);
  }
  return names(members);
}

function names(volumes: readonly PhysicalVolume[]): string[] {
  return volumes.map((volume) => volume.device);
}

/**
 * Removes the mark of a disk that is marked for LVM but in no group, as a power loss during vgcreate leaves it. vgcreate then
 * creates a metadata area of the right size.
 */
async function removeUnused(lvm: Lvm): Promise<void> {
  for (const { device, group } of await physicalVolumes(lvm)) {
    if (group !== '') continue; // '[unknown]' if the group's metadata is on a missing disk
    const { status, messages } = await lvm.command(['pvremove', device]);
    if (status !== 0) throw errors.storageUnusable(device, messages.join('; '));
  }
}

/** Refuses a disk with any signature: it can contain data. */
async function checkEmpty(processes: Processes, device: string): Promise<void> {
  const found = await stat(device).catch(() => undefined);
  if (found === undefined) throw errors.storageUnusable(device, 'it does not exist');
  if (!found.isBlockDevice()) throw errors.storageUnusable(device, 'it is not a block device');
  try {
    const { stdout } = await processes.run('wipefs', ['--no-act', '--parsable', device], { asRoot: true });
    const rows = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const signatures = rows.map((row) => row.split(',').at(-1)).join(', ');
    if (signatures !== '') throw errors.storageUnusable(device, `it contains data (${signatures})`);
  } catch (error) {
    if (error instanceof CommandError && !error.failure.notFound) {
      throw errors.storageUnusable(device, error.failure.stderr.trim() || error.message);
    }
    throw error;
  }
}
