import type { Command } from 'commander';
import { Context } from '../context.ts';

export function addNodeCommands(program: Command): void {
  const node = program.command('node').helpCommand(false).description('see the storage nodes');
  node
    .command('list')
    .description('print the nodes in order of their first start')
    .addHelpText('after', '\nExample:\n  blockstore node list')
    .action(async (_options: object, command: Command) => {
      const { listNodes } = await import('./list.ts');
      await listNodes(Context.of(command));
    });
  node
    .command('show')
    .description('print all about a node')
    .argument('<node>', 'its name')
    .addHelpText('after', '\nExample:\n  blockstore node show node1')
    .action(async (name: string, _options: object, command: Command) => {
      const { showNode } = await import('./show.ts');
      await showNode(Context.of(command), name);
    });
}
