import { nvmeFlags } from '../../nvme/flags.ts';
import { defineTarget } from '../target.ts';

export const nvmet = defineTarget({
  name: 'nvmet',
  protocol: 'nvme',
  flags: nvmeFlags,
  make: async (flags, context) => {
    const [{ NvmetTarget }, { portalAt }] = await Promise.all([import('./target.ts'), import('../../iscsi/portal.ts')]);
    const options = {
      portal: portalAt(flags.nvme_ip_address, flags.nvme_port),
      targetPrefix: flags.nvme_target_prefix,
    };
    return new NvmetTarget(options, context);
  },
  check: (flags, processes) => [
    async () => (await import('./check.ts')).checkKernel(processes),
    async () => (await import('./check.ts')).checkPortal(flags, processes),
  ],
});
