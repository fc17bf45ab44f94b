import type { ValuesOf } from '../../flags/flag.ts';
import { defineDriver } from '../driver.ts';
import { sheepdogFlags } from '../../sheepdog/flags.ts';

export const sheepdog = defineDriver({
  name: 'sheepdog',
  flags: sheepdogFlags,
  targets: ['sheepdog', 'none'],
  storage: ({ sheepdog_address: address, sheepdog_port: port }) => `the Sheepdog cluster at ${address} port ${port}`,
  make: async (flags, { processes }) => {
    const { SheepdogDriver } = await import('./driver.ts');
    return new SheepdogDriver(optionsOf(flags), { processes });
  },
  check: (flags, processes) => [async () => (await import('./check.ts')).checkCluster(optionsOf(flags), processes)],
});

function optionsOf(flags: ValuesOf<typeof sheepdogFlags>) {
  return { address: flags.sheepdog_address, port: flags.sheepdog_port, copies: flags.sheepdog_copies };
}
