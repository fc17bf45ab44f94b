import { iscsiFlags } from '../../iscsi/flags.ts';
import { defineTarget } from '../target.ts';

export const iscsiTgt = defineTarget({
  name: 'iscsi-tgt',
  protocol: 'iscsi',
  flags: iscsiFlags,
  make: async (flags, context) => {
    const [{ IscsiTgtTarget }, { portalIn }] = await Promise.all([
      import('./target.ts'),
      import('../../iscsi/portal.ts'),
    ]);
    return new IscsiTgtTarget(
      {
        portal: portalIn(flags),
        targetPrefix: flags.iscsi_target_prefix,
        chap: flags.iscsi_chap,
        durability: flags.iscsi_durability,
        stateDir: flags.state_dir,
      },
      context,
    );
  },
  check: (flags, processes) => [
    async () => (await import('./check.ts')).checkTgt(processes),
    async () => (await import('./check.ts')).checkPortal(flags),
  ],
});
