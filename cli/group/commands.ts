import type { Command } from 'commander';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import { atLeastOne, collectText, textOf, uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { CreateGroupOptions } from './create.ts';
import type { DeleteGroupsOptions } from './delete.ts';
import type { ListGroupsOptions } from './list.ts';
import type { UpdateGroupOptions } from './update.ts';

export function addGroupCommands(program: Command): void {
  const group = program.command('group').helpCommand(false).description('group volumes of one backend');
  addCreate(group);
  addReading(group);
  addUpdate(group);
  addDelete(group);
}

function addCreate(group: Command): void {
  group
    .command('create')
    .description('create an empty group and print its id')
    .option('--name <name>', 'name of the group', checkVolumeName)
    .option('--description <text>', 'description')
    .option('--user <user>', 'owner (default: the current user)', textOf('user'))
    .option('--project <project>', 'project', textOf('project'), 'default')
    .option('--id <uuid>', 'id of the group; repeating the command with the same id makes no second one', uuid)
    .addHelpText(
      'after',
      '\nExample:\n  blockstore group create --name shop\n  blockstore group update shop --add data --add log',
    )
    .action(async (options: CreateGroupOptions, command: Command) => {
      const { createGroup } = await import('./create.ts');
      await createGroup(Context.of(command), options);
    });
}

function addReading(group: Command): void {
  group
    .command('list')
    .description('list groups in order of their creation')
    .option('--project <project>', 'only groups of this project', textOf('project'))
    .option('--limit <n>', 'print at most n groups, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore group list')
    .action(async (options: ListGroupsOptions, command: Command) => {
      const { listGroups } = await import('./list.ts');
      await listGroups(Context.of(command), options);
    });
  group
    .command('show')
    .description('print the details of a group with its volumes')
    .argument('<group>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore group show shop')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showGroup } = await import('./show.ts');
      await showGroup(Context.of(command), reference);
    });
}

function addUpdate(group: Command): void {
  group
    .command('update')
    .description('change a group; its volumes are on the backend of the first one')
    .argument('<group>', 'id, name, or beginning of an id')
    .option('--name <name>', 'new name; "" removes it')
    .option('--description <text>', 'new description; "" removes it')
    .option('--add <volume>', 'add this volume; can be repeated', collectText)
    .option('--remove <volume>', 'remove this volume, which stays as it is; can be repeated', collectText)
    .addHelpText('after', '\nExample:\n  blockstore group update shop --add data --add log')
    .action(async (reference: string, options: UpdateGroupOptions, command: Command) => {
      const { updateGroup } = await import('./update.ts');
      await updateGroup(Context.of(command), reference, options);
    });
}

function addDelete(group: Command): void {
  withWaitOptions(group.command('delete'))
    .description('delete groups')
    .argument('<group...>', 'ids or names')
    .option('--volumes', 'also their volumes')
    .addHelpText('after', '\nExample:\n  blockstore group delete shop --volumes')
    .action(async (references: readonly string[], options: DeleteGroupsOptions, command: Command) => {
      const { deleteGroups } = await import('./delete.ts');
      await deleteGroups(Context.of(command), references, options);
    });
}
