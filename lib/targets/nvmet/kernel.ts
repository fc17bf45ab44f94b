import { configfsRoot } from '../configfs.ts';
import type { KernelTarget } from '../kernel-target.ts';

export const nvmeTarget: KernelTarget = {
  name: "the kernel's NVMe target (nvmet)",
  modules: ['nvmet', 'nvmet_tcp'],
  directory: `${configfsRoot}/nvmet`,
  file: 'blockstore-nvmet.conf',
  options: 'CONFIG_NVME_TARGET and CONFIG_NVME_TARGET_TCP',
  instead: 'set another volume_target',
};
