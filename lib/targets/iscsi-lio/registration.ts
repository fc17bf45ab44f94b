import { iscsiFlags } from '../../iscsi/flags.ts';
import { defineTarget } from '../target.ts';

export const iscsiLio = defineTarget({
  name: 'iscsi-lio',
  protocol: 'iscsi',
  flags: iscsiFlags,
  make: async (flags, context) => {
    const [{ IscsiLioTarget }, { portalTargetOptions }] = await Promise.all([
      import('./target.ts'),
      import('../../iscsi/portal-target.ts'),
    ]);
    return new IscsiLioTarget(portalTargetOptions(flags), context);
  },
  check: (flags, processes) => [
    async () => (await import('./check.ts')).checkKernel(processes),
    async () => (await import('./check.ts')).checkPortal(flags, processes),
  ],
});
