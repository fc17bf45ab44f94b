import type { Processes } from '../../process.ts';
import { type Configfs, ConfigfsFailure, configfsRoot } from '../configfs.ts';
import { type Kernel, type KernelTarget, prepareKernel, refused } from '../kernel-target.ts';
import { fabric } from './layout.ts';

export const lio: KernelTarget = {
  name: "the kernel's iSCSI target (LIO)",
  // The last two are loaded with the first backstore of their kind.
  modules: ['target_core_mod', 'iscsi_target_mod', 'target_core_iblock', 'target_core_file'],
  directory: `${configfsRoot}/target`,
  file: 'blockstore-lio.conf',
  options: 'CONFIG_TARGET_CORE and CONFIG_ISCSI_TARGET',
  instead: 'set volume_target=iscsi-tgt',
};

/** Makes the kernel's iSCSI target usable, as far as this process may. Throws KernelTargetUnusable. */
export async function prepareLio(configfs: Configfs, processes: Processes, kernel: Kernel): Promise<void> {
  await prepareKernel(lio, processes, kernel);
  try {
    await configfs.create(fabric);
  } catch (error) {
    if (!(error instanceof ConfigfsFailure)) throw error;
    throw refused(lio, error.code, 'iscsi_target_mod');
  }
}
