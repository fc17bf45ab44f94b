import { defineTarget } from '../target.ts';
import { aoeFlags } from './flags.ts';

export const aoe = defineTarget({
  name: 'aoe',
  protocol: 'aoe',
  movesAddress: true,
  flags: aoeFlags,
  make: async (flags, context) => {
    const { AoeTarget } = await import('./target.ts');
    return new AoeTarget(
      {
        interface: flags.aoe_eth_dev,
        durability: flags.aoe_durability,
        stateDir: flags.state_dir,
        numShellTries: flags.num_shell_tries,
        unfiltered: flags.aoe_unfiltered,
      },
      context,
    );
  },
  check: ({ aoe_eth_dev: name, aoe_unfiltered }, processes) => [
    async () => (await import('./check.ts')).checkCarrier(name),
    async () => (await import('./check.ts')).checkVblade(name, processes),
    async () => (await import('./check.ts')).checkAccessFilter(name, aoe_unfiltered, processes),
  ],
});
