import { sanProblems } from '../../san/problems.ts';
import { defineDriver } from '../driver.ts';
import { solarisFlags } from '../../san/solaris/flags.ts';

export const solaris = defineDriver({
  name: 'solaris',
  flags: solarisFlags,
  targets: ['solaris', 'none'],
  problems: (flags) => sanProblems('solaris', flags),
  storage: ({ san_ip: ip, san_zfs_volume_base: base }) =>
    `ZFS dataset ${base.slice(0, base.lastIndexOf('/'))} of ${ip}`,
  make: async (flags, { processes }) => {
    const [{ SolarisDriver }, { openSolaris }] = await Promise.all([
      import('./driver.ts'),
      import('../../san/solaris/open.ts'),
    ]);
    return new SolarisDriver(openSolaris(flags, processes), {
      base: flags.san_zfs_volume_base,
      thin: flags.san_thin_provision,
      node: flags.storage_name,
    });
  },
  check: (flags, processes) => [
    async () => {
      const [{ checkDataset }, { openSolaris }] = await Promise.all([
        import('./check.ts'),
        import('../../san/solaris/open.ts'),
      ]);
      return checkDataset(openSolaris(flags, processes, true), flags.san_zfs_volume_base, flags.storage_name);
    },
  ],
});
