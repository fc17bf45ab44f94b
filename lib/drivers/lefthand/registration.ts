import { ok } from '../../check.ts';
import { byteSize } from '../../format-bytes.ts';
import { lefthandFlags } from '../../san/lefthand/flags.ts';
import { sanProblems } from '../../san/problems.ts';
import { defineDriver } from '../driver.ts';

export const lefthand = defineDriver({
  name: 'lefthand',
  flags: lefthandFlags,
  targets: ['lefthand', 'none'],
  problems: (flags) => [
    ...sanProblems('lefthand', flags),
    ...(flags.san_clustername === '' ? ['volume_driver = lefthand requires san_clustername'] : []),
  ],
  storage: ({ san_ip: ip, san_clustername: cluster }) => `LeftHand cluster ${cluster} of ${ip}`,
  make: async (flags, { processes }) => {
    const [{ LefthandDriver }, { openLefthand }] = await Promise.all([
      import('./driver.ts'),
      import('../../san/lefthand/open.ts'),
    ]);
    return new LefthandDriver(openLefthand(flags, processes), {
      cluster: flags.san_clustername,
      thin: flags.san_thin_provision,
      node: flags.storage_name,
    });
  },
  check: (flags, processes) => [
    async () => {
      const [{ LefthandVolumes }, { openLefthand }] = await Promise.all([
        import('./storage.ts'),
        import('../../san/lefthand/open.ts'),
      ]);
      const shell = openLefthand(flags, processes, true);
      try {
        const options = { cluster: flags.san_clustername, thin: flags.san_thin_provision, node: flags.storage_name };
        const { freeBytes, totalBytes } = await new LefthandVolumes(shell, options).capacity();
        const free = `${byteSize(freeBytes)} of ${byteSize(totalBytes)} free`;
        return ok(`LeftHand cluster ${options.cluster} at ${shell.where}: ${free}`);
      } finally {
        await shell.close();
      }
    },
  ],
});
