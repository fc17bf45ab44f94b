import type { Command } from 'commander';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import { atLeastOne, collectText, keyAndValue, textOf, uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { ChangeOptions } from '../volume/wait-options.ts';
import type { CreateSnapshotOptions } from './create.ts';
import type { ListSnapshotsOptions } from './list.ts';
import type { UpdateSnapshotOptions } from './update.ts';

export function addSnapshotCommands(program: Command): void {
  const snapshot = program.command('snapshot').helpCommand(false).description('take, list and delete snapshots');
  addCreate(snapshot);
  addReading(snapshot);
  addUpdate(snapshot);
  addDelete(snapshot);
}

function addCreate(snapshot: Command): void {
  withWaitOptions(snapshot.command('create'))
    .description('take a snapshot of a volume and print its id')
    .argument('<volume>', 'id, name, or beginning of an id')
    .option('--name <name>', 'name of the snapshot', checkVolumeName)
    .option('--description <text>', 'description')
    .option('--meta <key=value>', 'a key of its metadata; can be repeated', keyAndValue('metadata'))
    .option('--force', 'also of an attached volume: without what its host has not written yet')
    .option('--user <user>', 'owner (default: the current user)', textOf('user'))
    .option('--project <project>', 'project (default: that of the volume)', textOf('project'))
    .option('--id <uuid>', 'id of the snapshot; repeating the command with the same id takes no second one', uuid)
    .addHelpText(
      'after',
      '\nExamples:\n  blockstore snapshot create data --name before-upgrade\n  blockstore volume create 20 --snapshot before-upgrade',
    )
    .action(async (reference: string, options: CreateSnapshotOptions, command: Command) => {
      const { createSnapshot } = await import('./create.ts');
      await createSnapshot(Context.of(command), reference, options);
    });
}

function addReading(snapshot: Command): void {
  snapshot
    .command('list')
    .description('list snapshots in order of their creation')
    .option('--volume <volume>', 'only snapshots of this volume')
    .option('--project <project>', 'only snapshots of this project', textOf('project'))
    .option('--limit <n>', 'print at most n snapshots, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore snapshot list --volume data')
    .action(async (options: ListSnapshotsOptions, command: Command) => {
      const { listSnapshots } = await import('./list.ts');
      await listSnapshots(Context.of(command), options);
    });
  snapshot
    .command('show')
    .description('print the details of a snapshot')
    .argument('<snapshot>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore snapshot show before-upgrade')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showSnapshot } = await import('./show.ts');
      await showSnapshot(Context.of(command), reference);
    });
}

function addUpdate(snapshot: Command): void {
  snapshot
    .command('update')
    .description('change the name, description and metadata of a snapshot')
    .argument('<snapshot>', 'id, name, or beginning of an id')
    .option('--name <name>', 'new name; "" removes it', (text: string) => (text === '' ? text : checkVolumeName(text)))
    .option('--description <text>', 'new description; "" removes it')
    .option('--meta <key=value>', 'set a key of its metadata; can be repeated', keyAndValue('metadata'))
    .option('--unset-meta <key>', 'remove a key of its metadata; can be repeated', collectText)
    .addHelpText('after', '\nExample:\n  blockstore snapshot update before-upgrade --meta ticket=1234')
    .action(async (reference: string, options: UpdateSnapshotOptions, command: Command) => {
      const { updateSnapshot } = await import('./update.ts');
      await updateSnapshot(Context.of(command), reference, options);
    });
}

function addDelete(snapshot: Command): void {
  withWaitOptions(snapshot.command('delete'))
    .description('delete snapshots; volumes made from them keep their data')
    .argument('<snapshot...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore snapshot delete before-upgrade')
    .action(async (references: readonly string[], options: ChangeOptions, command: Command) => {
      const { deleteSnapshots } = await import('./delete.ts');
      await deleteSnapshots(Context.of(command), references, options);
    });
}
