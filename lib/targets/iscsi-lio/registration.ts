import { iscsiFlags } from '../../iscsi/flags.ts';
import { defineTarget } from '../target.ts';

export const iscsiLio = defineTarget({
  name: 'iscsi-lio',
  protocol: 'iscsi',
  flags: iscsiFlags,
  make: async (flags, context) => {
    const [{ IscsiLioTarget }, { portalIn }] = await Promise.all([
      import('./target.ts'),
      import('../../iscsi/portal.ts'),
    ]);
    return new IscsiLioTarget(
      {
        portal: portalIn(flags),
        targetPrefix: flags.iscsi_target_prefix,
        chap: flags.iscsi_chap,
        durability: flags.iscsi_durability,
      },
      context,
    );
  },
  check: (flags, processes) => [
    async () => (await import('./check.ts')).checkKernel(processes),
    async () => (await import('./check.ts')).checkPortal(flags, processes),
  ],
});
