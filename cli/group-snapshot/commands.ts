import type { Command } from 'commander';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import { atLeastOne, textOf, uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { ChangeOptions } from '../volume/wait-options.ts';
import type { CreateGroupSnapshotOptions } from './create.ts';
import type { ListGroupSnapshotsOptions } from './list.ts';

export function addGroupSnapshotCommands(program: Command): void {
  const snapshot = program
    .command('group-snapshot')
    .helpCommand(false)
    .description('take snapshots of all volumes of a group at one moment');
  addCreate(snapshot);
  addReading(snapshot);
  addDelete(snapshot);
}

function addCreate(snapshot: Command): void {
  withWaitOptions(snapshot.command('create'))
    .description('take snapshots of all volumes of a group, whose writers wait meanwhile, and print the id')
    .argument('<group>', 'id, name, or beginning of an id')
    .option('--name <name>', 'name of the group snapshot and its snapshots', checkVolumeName)
    .option('--description <text>', 'description')
    .option('--user <user>', 'owner (default: the current user)', textOf('user'))
    .option('--project <project>', 'project (default: that of the group)', textOf('project'))
    .option('--id <uuid>', 'id of the group snapshot; repeating the command with the same id takes no second one', uuid)
    .addHelpText('after', '\nExample:\n  blockstore group-snapshot create shop --name before-upgrade')
    .action(async (reference: string, options: CreateGroupSnapshotOptions, command: Command) => {
      const { createGroupSnapshot } = await import('./create.ts');
      await createGroupSnapshot(Context.of(command), reference, options);
    });
}

function addReading(snapshot: Command): void {
  snapshot
    .command('list')
    .description('list group snapshots in order of their creation')
    .option('--group <group>', 'only those of this group')
    .option('--project <project>', 'only those of this project', textOf('project'))
    .option('--limit <n>', 'print at most n group snapshots, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore group-snapshot list --group shop')
    .action(async (options: ListGroupSnapshotsOptions, command: Command) => {
      const { listGroupSnapshots } = await import('./list.ts');
      await listGroupSnapshots(Context.of(command), options);
    });
  snapshot
    .command('show')
    .description('print the details of a group snapshot with its snapshots')
    .argument('<group-snapshot>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore group-snapshot show before-upgrade')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showGroupSnapshot } = await import('./show.ts');
      await showGroupSnapshot(Context.of(command), reference);
    });
}

function addDelete(snapshot: Command): void {
  withWaitOptions(snapshot.command('delete'))
    .description('delete group snapshots with their snapshots')
    .argument('<group-snapshot...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore group-snapshot delete before-upgrade')
    .action(async (references: readonly string[], options: ChangeOptions, command: Command) => {
      const { deleteGroupSnapshots } = await import('./delete.ts');
      await deleteGroupSnapshots(Context.of(command), references, options);
    });
}
