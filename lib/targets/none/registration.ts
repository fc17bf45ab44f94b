import { ok } from '../../check.ts';
import { defineTarget } from '../target.ts';

export const none = defineTarget({
  name: 'none',
  protocol: 'none',
  flags: {},
  make: async () => {
    const { NoneTarget } = await import('./target.ts');
    return new NoneTarget();
  },
  check: () => [async () => ok('the target none exports nothing')],
});
