import type { Command } from 'commander';
import { Context } from '../context.ts';

export function addHostCommands(program: Command): void {
  program
    .command('connector')
    .description('print what identifies this host when it attaches volumes: addresses, initiator name, machine id')
    .addHelpText(
      'after',
      `
With --json the names are those of connector properties in OpenStack, and what this host lacks is null.

Example:
  blockstore volume attach data --instance i-1 --mountpoint /dev/vdb --initiator "$(
    ssh host1 blockstore connector --json | jq -r .initiator)"`,
    )
    .action(async (_options: object, command: Command) => {
      const { showConnector } = await import('./connector.ts');
      await showConnector(Context.of(command));
    });
}
