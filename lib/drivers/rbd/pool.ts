import { errors } from '../../errors.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { imageInfo } from './images.ts';
import { type Monitors, readMonitors } from '../../rbd/monitors.ts';

/**
 * Checks that the cluster answers, that the pool exists, and that the user may read and write it. Changes nothing. Throws
 * CephUnreachable, NoCephPool, CephDenied, CephConfiguration, CommandNotFound.
 */
export async function checkPool(commands: RbdCommands): Promise<Monitors> {
  // Of no image: this opens the pool.
  await imageInfo(commands, 'blockstore-checks-the-pool');
  await commands.checkWritable();
  const monitors = await readMonitors(commands);
  const [first] = monitors.addresses;
  if (first !== undefined) return monitors;
  throw errors.rbdFailed('ceph mon dump', 'no monitor has an address');
}
