import { deviceNumber } from '../devices/sectors.ts';
import { errors } from '../errors.ts';
import { statIfExists } from '../files.ts';

/** What a volume is stored in. */
export type StorageStatus = { isFile: true; sizeBytes: number } | { isFile: false; deviceNumber: string };

/**
 * Examines a volume's storage before it is given to a target: targets take a list of settings with commas, and report a missing path badly,
 * or create it. Throws ExportFailed, InvalidArgument.
 */
export async function checkStorage(id: string, path: string): Promise<StorageStatus> {
  if (!path.startsWith('/') || path.includes(',')) {
    throw errors.invalidArgument('path', path, 'an absolute path without a comma, at which the target would cut it');
  }
  const status = await statIfExists(path);
  if (!status) throw errors.exportFailed(id, `${path} does not exist`);
  if (status.isFile()) return { isFile: true, sizeBytes: status.size };
  if (status.isBlockDevice()) return { isFile: false, deviceNumber: deviceNumber(status.rdev) };
  throw errors.exportFailed(id, `${path} is neither a block device nor a file`);
}
