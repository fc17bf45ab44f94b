import { readAttribute } from '../../files.ts';
import { scsiIdentityOf } from '../../iscsi/address.ts';
import type { StorageStatus } from '../storage.ts';
import type { Configfs } from '../configfs.ts';
import { type Plugin, adapterOf, backstoreOf, backstores, pluginOf, volumeOfBackstore } from './layout.ts';

/** A backstore with the name of a volume, in whichever adapter. */
export interface FoundBackstore {
  path: string;
  plugin: Plugin | undefined;
  /** Block device or file. */
  device: string;
  serial: string;
  isEnabled: boolean;
  /** fileio: whether writes are acknowledged from the page cache. */
  isBuffered: boolean;
  /** fileio on a file: the size that hosts see. */
  sizeBytes: number;
}

/** How a backstore is to be made. */
export interface BackstorePlan {
  id: string;
  plugin: Plugin;
  device: string;
  isBuffered: boolean;
  /** fileio on a file, whose size the kernel takes from here alone. */
  sizeBytes?: number;
}

/**
 * iblock writes past the page cache, and an acknowledged write can be in the volatile cache of the disk until the host flushes. Where that
 * must not be lost, fileio writes each one through (O_DSYNC), on a disk as on a file.
 */
export async function planBackstore(
  { id, path, durability }: { id: string; path: string; durability: string },
  status: StorageStatus,
): Promise<BackstorePlan> {
  const isSynced = durability === 'sync';
  const base = { id, device: path };
  if (status.isFile) return { ...base, plugin: 'fileio', isBuffered: !isSynced, sizeBytes: status.sizeBytes };
  const isCached = await hasVolatileCache(status.deviceNumber);
  return { ...base, plugin: isSynced && isCached ? 'fileio' : 'iblock', isBuffered: false };
}

/** As the kernel describes the whole disk, or the logical volume with what is below it. */
async function hasVolatileCache(number: string): Promise<boolean> {
  const directory = `/sys/dev/block/${number}`;
  const name = 'queue/write_cache';
  // A partition has no queue of its own, but its disk's.
  const found = (await readAttribute(`${directory}/${name}`)) ?? (await readAttribute(`${directory}/../${name}`));
  return found?.trim() !== 'write through';
}

/** Of every volume, in whichever adapter. */
export async function backstorePaths(configfs: Configfs): Promise<string[]> {
  const adapters = (await configfs.directories(backstores)).filter((name) => /^(iblock|fileio)_\d+$/.test(name));
  const lists = adapters.map(async (adapter) =>
    (await configfs.directories(`${backstores}/${adapter}`)).map((name) => `${backstores}/${adapter}/${name}`),
  );
  return (await Promise.all(lists)).flat().filter((path) => volumeOfBackstore(path) !== undefined);
}

export async function readBackstore(configfs: Configfs, path: string): Promise<FoundBackstore> {
  const [enable, device, serial, info] = await Promise.all([
    configfs.read(`${path}/enable`),
    configfs.read(`${path}/udev_path`),
    configfs.read(`${path}/wwn/vpd_unit_serial`),
    configfs.read(`${path}/info`),
  ]);
  return {
    path,
    plugin: pluginOf(path),
    device: device ?? '',
    serial: serial?.replace(/^T10 VPD Unit Serial Number: /, '') ?? '',
    isEnabled: enable === '1',
    isBuffered: info?.includes('Mode: Buffered-WCE') ?? false,
    sizeBytes: Number(/ Size: (\d+) /.exec(info ?? '')?.[1] ?? 0),
  };
}

/** Whether it serves what is planned, of whichever size. */
export function isPlanned(found: FoundBackstore, plan: BackstorePlan): boolean {
  return (
    found.path === backstoreOf(plan.plugin, plan.id) &&
    found.isEnabled &&
    found.device === plan.device &&
    found.serial === scsiIdentityOf(plan.id).serial &&
    found.isBuffered === plan.isBuffered
  );
}

/** Makes one that does not exist. The identity comes first: the kernel takes no other one while hosts have the device. */
export async function createBackstore(configfs: Configfs, plan: BackstorePlan): Promise<void> {
  const path = backstoreOf(plan.plugin, plan.id);
  await configfs.create(adapterOf(plan.plugin));
  await configfs.create(path);
  await configfs.write(`${path}/wwn/vendor_id`, 'blkstore');
  await configfs.write(`${path}/wwn/product_id`, 'volume');
  // The kernel derives the device identifier (NAA 6) from the serial number.
  await configfs.write(`${path}/wwn/vpd_unit_serial`, scsiIdentityOf(plan.id).serial);
  await configfs.write(`${path}/control`, settingsOf(plan));
  await configfs.write(`${path}/udev_path`, plan.device);
  await configfs.write(`${path}/enable`, '1');
}

function settingsOf({ plugin, device, isBuffered, sizeBytes }: BackstorePlan): string {
  if (plugin === 'iblock') return `udev_path=${device}`;
  const size = sizeBytes === undefined ? [] : [`fd_dev_size=${sizeBytes}`];
  return [`fd_dev_name=${device}`, ...size, ...(isBuffered ? ['fd_buffered_io=1'] : [])].join(',');
}

/** A file that has grown: the kernel reads the size of a device itself, that of a file never. */
export async function resizeBackstore(configfs: Configfs, found: FoundBackstore, plan: BackstorePlan): Promise<void> {
  if (plan.sizeBytes === undefined || plan.sizeBytes === found.sizeBytes) return;
  await configfs.write(`${found.path}/control`, `fd_dev_size=${plan.sizeBytes}`);
}
