import { iscsiFlags } from '../../iscsi/flags.ts';
import { defineTarget } from '../target.ts';

export const iscsiTgt = defineTarget({
  name: 'iscsi-tgt',
  protocol: 'iscsi',
  flags: iscsiFlags,
  make: async (flags, context) => {
    const [{ IscsiTgtTarget }, { portalTargetOptions }] = await Promise.all([
      import('./target.ts'),
      import('../../iscsi/portal-target.ts'),
    ]);
    return new IscsiTgtTarget({ ...portalTargetOptions(flags), stateDir: flags.state_dir }, context);
  },
  check: (flags, processes) => [
    async () => (await import('./check.ts')).checkTgt(processes),
    async () => (await import('./check.ts')).checkPortal(flags),
  ],
});
