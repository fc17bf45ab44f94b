import { defineTarget } from '../target.ts';
import { iscsiTgtFlags } from './flags.ts';

export const iscsiTgt = defineTarget({
  name: 'iscsi-tgt',
  flags: iscsiTgtFlags,
  make: async (flags, context) => {
    const [{ IscsiTgtTarget }, { portalIn }] = await Promise.all([import('./target.ts'), import('./portal.ts')]);
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
