import { existsSync } from 'node:fs';
import { type Finding, ok, warn } from '../../lib/check.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { Processes } from '../../lib/process.ts';

const cannot = 'this host cannot connect volumes on Ceph as block devices';
const forGuests = 'guests need none: "blockstore volume attach --domain"';

/** Checks what a host needs to map volumes on Ceph. `system` is where the kernel says what it has. */
export async function checkRbdHost(processes: Processes, system = '/sys'): Promise<Finding> {
  if (!existsSync(`${system}/bus/rbd`) && (await fails(processes, 'modinfo', ['rbd']))) {
    return warn(
      `${cannot}: the kernel module rbd is missing`,
      `run a kernel with CONFIG_BLK_DEV_RBD (Debian: linux-image-amd64, not the cloud kernel); ${forGuests}`,
    );
  }
  if (await fails(processes, 'rbd', ['--version'])) {
    return warn(`${cannot}: the command rbd is missing`, `apt-get install ceph-common; ${forGuests}`);
  }
  return ok('this host can map volumes on Ceph; "blockstore volume attach --host-device" loads the module rbd');
}

async function fails(processes: Processes, command: string, args: readonly string[]): Promise<boolean> {
  try {
    await processes.run(command, args);
    return false;
  } catch (error) {
    if (error instanceof CommandError) return true;
    throw error;
  }
}
