import { ok, warn } from '../../check.ts';
import { sheepdogFlags } from '../../sheepdog/flags.ts';
import { defineTarget } from '../target.ts';

export const sheepdog = defineTarget({
  name: 'sheepdog',
  protocol: 'sheepdog',
  flags: sheepdogFlags,
  drivers: ['sheepdog'],
  make: async (flags) => {
    const { SheepdogTarget } = await import('./target.ts');
    return new SheepdogTarget({ address: flags.sheepdog_address, port: flags.sheepdog_port });
  },
  check: ({ sheepdog_address: address }) => [
    async () =>
      /^127\.|^::1$/.test(address)
        ? warn(
            `guests connect to Sheepdog at ${address}, which is a daemon of their own host`,
            'run sheep on every host of guests, or set sheepdog_address to an address that they reach',
          )
        : ok(`guests connect to Sheepdog at ${address}`),
  ],
});
