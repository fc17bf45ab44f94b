import type { Command } from 'commander';
import { Context } from '../context.ts';

export function addNodeCommands(program: Command): void {
  const node = program.command('node').helpCommand(false).description('see the storage nodes, declare one lost');
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
  node
    .command('lost')
    .description('declare a node lost that will not be back soon: its volumes hold up nobody')
    .argument('<node>', 'its name')
    .addHelpText(
      'after',
      `
Its volumes go into error, and can be detached and deleted at once. When blockstored runs there again, those that were
not deleted are available again, attached ones attached, and what was deleted is removed there.

Example:
  blockstore node lost node1`,
    )
    .action(async (name: string, _options: object, command: Command) => {
      const { loseNode } = await import('./lost.ts');
      await loseNode(Context.of(command), name);
    });
}
