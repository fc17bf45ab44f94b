import { ok } from '../../check.ts';
import { lefthandFlags } from '../../san/lefthand/flags.ts';
import { defineTarget } from '../target.ts';

export const lefthand = defineTarget({
  name: 'lefthand',
  flags: lefthandFlags,
  protocol: 'iscsi',
  drivers: ['lefthand'],
  problems: ({ export_unattached: isOpen }) =>
    isOpen ? ['volume_target = lefthand exports to named hosts only: export_unattached must be false'] : [],
  make: async (flags, { processes }) => {
    const [{ LefthandTarget }, { openLefthand }] = await Promise.all([
      import('./target.ts'),
      import('../../san/lefthand/open.ts'),
    ]);
    const options = { cluster: flags.san_clustername, node: flags.storage_name };
    return new LefthandTarget(openLefthand(flags, processes), options);
  },
  check: (flags, processes) => [
    async () => {
      const [{ LefthandTarget }, { openLefthand }] = await Promise.all([
        import('./target.ts'),
        import('../../san/lefthand/open.ts'),
      ]);
      const shell = openLefthand(flags, processes, true);
      const target = new LefthandTarget(shell, { cluster: flags.san_clustername, node: flags.storage_name });
      try {
        await target.setup();
        return ok(`LeftHand cluster ${flags.san_clustername} has one virtual address`);
      } finally {
        await target.close();
      }
    },
  ],
});
