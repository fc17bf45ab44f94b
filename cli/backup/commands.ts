import type { Command } from 'commander';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import { uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { ChangeOptions } from '../volume/wait-options.ts';
import type { CreateBackupOptions } from './create.ts';
import type { ListBackupsOptions } from './list.ts';

export function addBackupCommands(program: Command): void {
  const backup = program
    .command('backup')
    .helpCommand(false)
    .description('back volumes up to backup_directory, which all nodes and this host share');
  withWaitOptions(backup.command('create'), '10 min without progress')
    .description('back a volume up, detached or as a snapshot has it, and print the id of the backup')
    .argument('<volume>', 'id, name, or beginning of an id')
    .option('--name <name>', 'name of the backup (default: that of the volume)', checkVolumeName)
    .option('--incremental', 'store only what has changed since the last backup of the volume')
    .option('--snapshot <snapshot>', 'back this snapshot of the volume up: id, name, or beginning of an id')
    .option('--force', 'of an attached volume: as it is at one moment, by a snapshot that is deleted at the end')
    .option('--id <uuid>', 'id of the backup', uuid)
    .addHelpText(
      'after',
      '\nExamples:\n  blockstore backup create data --incremental\n  blockstore backup create data --force',
    )
    .action(async (reference: string, options: CreateBackupOptions, command: Command) => {
      const { createBackup } = await import('./create.ts');
      await createBackup(Context.of(command), reference, options);
    });
  backup
    .command('list')
    .description('list the backups in order of their creation')
    .option('--volume <volume>', 'only those of this volume, by its full id or its name then')
    .addHelpText('after', '\nExample:\n  blockstore backup list --volume data')
    .action(async (options: ListBackupsOptions, command: Command) => {
      const { listBackups } = await import('./list.ts');
      await listBackups(Context.of(command), options);
    });
  backup
    .command('show')
    .description('print the details of a backup')
    .argument('<backup>', 'id or name')
    .addHelpText('after', '\nExample:\n  blockstore backup show data')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showBackup } = await import('./show.ts');
      await showBackup(Context.of(command), reference);
    });
  withWaitOptions(backup.command('restore'), '10 min without progress')
    .description('replace all data of a detached volume by those of a backup, and print the id of the volume')
    .argument('<backup>', 'id or name')
    .argument('<volume>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore backup restore 0b9e4c51-5c5c-4d5e-9c1a-0c6d4cf0a1b2 data')
    .action(async (reference: string, volume: string, options: ChangeOptions, command: Command) => {
      const { restoreBackup } = await import('./restore.ts');
      await restoreBackup(Context.of(command), reference, volume, options);
    });
  backup
    .command('delete')
    .description('delete backups; one that later ones need is refused')
    .argument('<backup...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore backup delete data')
    .action(async (references: readonly string[], _options: object, command: Command) => {
      const { deleteBackups } = await import('./delete.ts');
      await deleteBackups(Context.of(command), references);
    });
}
