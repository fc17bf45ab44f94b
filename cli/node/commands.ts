import type { Command } from 'commander';
import { textOf } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { DrainOptions } from './drain.ts';

export function addNodeCommands(program: Command): void {
  const node = program
    .command('node')
    .helpCommand(false)
    .description('list storage nodes, drain one, declare one lost, or remove one');
  node
    .command('list')
    .description('list the nodes in order of their first start')
    .addHelpText('after', '\nExample:\n  blockstore node list')
    .action(async (_options: object, command: Command) => {
      const { listNodes } = await import('./list.ts');
      await listNodes(Context.of(command));
    });
  node
    .command('show')
    .description('print the details of a node')
    .argument('<node>', 'name of the node', textOf('node'))
    .addHelpText('after', '\nExample:\n  blockstore node show node1')
    .action(async (name: string, _options: object, command: Command) => {
      const { showNode } = await import('./show.ts');
      await showNode(Context.of(command), name);
    });
  withWaitOptions(node.command('drain'), '10 min without progress of a volume')
    .description('move all volumes of a node to others; it takes none until it is opened again')
    .argument('<node>', 'name of the node', textOf('node'))
    .option(
      '--to <node>',
      'node, node@backend or node@backend#pool that they are to have (default: nodes with free space)',
      textOf('node'),
    )
    .addHelpText(
      'after',
      `
Volumes that are attached or have snapshots do not move: each is named with the reason. Volumes on storage that several
nodes reach need not move: another node takes them over when this one is gone.

Example:
  blockstore node drain node1`,
    )
    .action(async (name: string, options: DrainOptions, command: Command) => {
      const { drainNode } = await import('./drain.ts');
      await drainNode(Context.of(command), name, options);
    });
  node
    .command('open')
    .description('let a node take volumes again, after it was drained')
    .argument('<node>', 'name of the node', textOf('node'))
    .addHelpText('after', '\nExample:\n  blockstore node open node1')
    .action(async (name: string, _options: object, command: Command) => {
      const { openNode } = await import('./drain.ts');
      await openNode(Context.of(command), name);
    });
  node
    .command('lost')
    .description('declare a node lost that will not return soon')
    .argument('<node>', 'name of the node', textOf('node'))
    .addHelpText(
      'after',
      `
Its volumes go to status error and can be detached and deleted at once. When blockstored runs on the node again, the
remaining volumes return to their former status, and the storage of deleted volumes is removed.

Example:
  blockstore node lost node1`,
    )
    .action(async (name: string, _options: object, command: Command) => {
      const { declareNodeLost } = await import('./lost.ts');
      await declareNodeLost(Context.of(command), name);
    });
  node
    .command('remove')
    .description('remove a node that is not up and has no volumes; its AoE shelves become free')
    .argument('<node>', 'name of the node', textOf('node'))
    .addHelpText('after', '\nExample:\n  blockstore node remove node1')
    .action(async (name: string, _options: object, command: Command) => {
      const { removeNodeRecord } = await import('./remove.ts');
      await removeNodeRecord(Context.of(command), name);
    });
}
