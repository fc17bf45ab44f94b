import { defineTarget } from '../target.ts';
import { join } from 'node:path';
import { solarisTargetFlags } from './flags.ts';

export const solaris = defineTarget({
  name: 'solaris',
  flags: solarisTargetFlags,
  protocol: 'iscsi',
  drivers: ['solaris'],
  make: async (flags, { processes }) => {
    const [{ SolarisTarget }, { secretsIn }, { openSolaris }] = await Promise.all([
      import('./target.ts'),
      import('./initiators.ts'),
      import('../../san/solaris/open.ts'),
    ]);
    return new SolarisTarget(openSolaris(flags, processes), {
      ip: flags.san_ip,
      base: flags.san_zfs_volume_base,
      targetPrefix: flags.iscsi_target_prefix,
      chap: flags.iscsi_chap,
      secrets: secretsIn(join(flags.state_dir, 'solaris', flags.san_ip)),
    });
  },
  check: (flags, processes) => [
    async () => {
      const [{ checkComstar }, { openSolaris }] = await Promise.all([
        import('./check.ts'),
        import('../../san/solaris/open.ts'),
      ]);
      return checkComstar(openSolaris(flags, processes, true), flags.san_zfs_volume_base);
    },
  ],
});
