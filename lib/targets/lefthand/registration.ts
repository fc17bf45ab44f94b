import { ok } from '../../check.ts';
import { join } from 'node:path';
import { iscsiChap } from '../../iscsi/flags.ts';
import { lefthandFlags } from '../../san/lefthand/flags.ts';
import { type NodeFlags, defineTarget } from '../target.ts';

export const lefthand = defineTarget({
  name: 'lefthand',
  flags: { ...lefthandFlags, iscsi_chap: iscsiChap },
  protocol: 'iscsi',
  drivers: ['lefthand'],
  problems: ({ export_unattached: isOpen }) =>
    isOpen ? ['volume_target = lefthand exports to named hosts only: export_unattached must be false'] : [],
  make: async (flags, { processes }) => {
    const [{ LefthandTarget }, { openLefthand }] = await Promise.all([
      import('./target.ts'),
      import('../../san/lefthand/open.ts'),
    ]);
    return new LefthandTarget(openLefthand(flags, processes), optionsIn(flags));
  },
  check: (flags, processes) => [
    async () => {
      const [{ LefthandTarget }, { openLefthand }] = await Promise.all([
        import('./target.ts'),
        import('../../san/lefthand/open.ts'),
      ]);
      const shell = openLefthand(flags, processes, true);
      const target = new LefthandTarget(shell, optionsIn(flags));
      try {
        await target.setup();
        return ok(`LeftHand cluster ${flags.san_clustername} has one virtual address`);
      } finally {
        await target.close();
      }
    },
  ],
});

interface Flags extends NodeFlags {
  san_ip: string;
  san_clustername: string;
  iscsi_chap: boolean;
}

function optionsIn({ san_ip: ip, san_clustername: cluster, storage_name: node, iscsi_chap: chap, state_dir }: Flags) {
  return { cluster, node, chap, directory: join(state_dir, 'lefthand', `${ip}-${cluster}`) };
}
