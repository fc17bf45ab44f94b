import { createHmac } from 'node:crypto';
import { readIfExists } from './files.ts';

/** What identifies a machine, and one run of it, whatever its host name is. */
export interface MachineId {
  /** From systemd's machine-id; empty where the machine has none, as in some containers. */
  machine: string;
  /** Another one after each boot. */
  boot: string;
}

export interface MachineFiles {
  machineId: string;
  bootId: string;
}

const systemFiles: MachineFiles = { machineId: '/etc/machine-id', bootId: '/proc/sys/kernel/random/boot_id' };

/**
 * Reads the identity of this machine. machine-id(5) asks that the id itself is not shown in a network: the result has a hash
 * of it, keyed by the id, which is the same for all programs of this project.
 */
export async function readMachineId(files = systemFiles): Promise<MachineId> {
  const [id = '', boot = ''] = await Promise.all([readIfExists(files.machineId), readIfExists(files.bootId)]);
  const plain = id.trim();
  const isValid = /^[0-9a-f]{32}$/.test(plain) && !/^0+$/.test(plain);
  return {
    machine: isValid ? createHmac('sha256', plain).update('blockstore').digest('hex').slice(0, 32) : '',
    boot: boot.trim().replaceAll('-', ''),
  };
}
