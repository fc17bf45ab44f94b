import { existsSync } from 'node:fs';
import { CommandError } from '../../command-error.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { type Configfs, ConfigfsFailure, configfsTarget } from './configfs.ts';
import { fabric } from './layout.ts';

/** The last two are loaded with the first backstore of their kind. */
export const modules = ['target_core_mod', 'iscsi_target_mod', 'target_core_iblock', 'target_core_file'] as const;

const mount = ['mount', '-t', 'configfs', 'configfs', '/sys/kernel/config'] as const;
/** Also for the next boot. A daemon that systemd keeps from loading modules cannot do it itself. */
export const loadModules = `modprobe -a ${modules.join(' ')}; printf '%s\\n' ${modules.join(' ')} >/etc/modules-load.d/blockstore-lio.conf`;

export interface Kernel {
  /** Whether this process may change configfs. */
  isRoot: boolean;
  /** The directory of the kernel's target. */
  directory: string;
}

export const thisKernel: Kernel = { isRoot: process.getuid?.() === 0, directory: configfsTarget };

/** Makes the kernel's iSCSI target usable: loads modules and mounts configfs, as far as this process may. Throws KernelTargetUnusable. */
export async function prepareKernel(configfs: Configfs, processes: Processes, kernel = thisKernel): Promise<void> {
  if (!kernel.isRoot) throw notRoot();
  if (!existsSync(kernel.directory)) {
    const [command, ...args] = mount;
    await attempt(processes, 'modprobe', ['-a', ...modules]);
    if (!existsSync(kernel.directory)) await attempt(processes, command, args); // systemd has done it
  }
  checkDirectory(kernel.directory);
  try {
    await configfs.create(fabric);
  } catch (error) {
    if (!(error instanceof ConfigfsFailure)) throw error;
    throw error.code === 'EROFS'
      ? errors.kernelTargetUnusable(
          '/sys is read-only for the daemon',
          'use the unit of this version: ReadWritePaths=/sys/kernel/config',
        )
      : errors.kernelTargetUnusable(`the module iscsi_target_mod is not loaded (${error.code})`, loadModules);
  }
}

/** After a failure its caller examines the kernel. */
async function attempt(processes: Processes, command: string, args: readonly string[]): Promise<void> {
  try {
    await processes.run(command, args);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
  }
}

/** Throws KernelTargetUnusable. */
export function checkDirectory(directory: string): void {
  if (existsSync(directory)) return;
  if (existsSync('/sys/module/target_core_mod')) {
    throw errors.kernelTargetUnusable('configfs is not mounted', mount.join(' '));
  }
  throw errors.kernelTargetUnusable('the module target_core_mod is not loaded', loadModules);
}

export function notRoot(): BlockstoreError {
  return errors.kernelTargetUnusable(
    'only root may configure it',
    'run the daemon as root, or set volume_target=iscsi-tgt',
  );
}
