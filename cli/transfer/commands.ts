import type { Command } from 'commander';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import { atLeastOne, lengthOfTime, textOf } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { AcceptOptions } from './accept.ts';
import type { CreateTransferOptions } from './create.ts';
import type { ListTransfersOptions } from './list.ts';

export function addTransferCommands(program: Command): void {
  const transfer = program.command('transfer').helpCommand(false).description('move volumes to another project');
  addCreate(transfer);
  addReading(transfer);
  addDelete(transfer);
  addAccept(transfer);
}

function addCreate(transfer: Command): void {
  transfer
    .command('create')
    .description('offer a volume to another project; print the id of the transfer and its key')
    .argument('<volume>', 'id, name, or beginning of an id')
    .option('--name <name>', 'name of the transfer', checkVolumeName)
    .option('--with-snapshots', 'its snapshots go along (default)')
    .option('--without-snapshots', 'its snapshots stay with their project')
    .option('--expires <time>', 'how long it can be accepted, such as 30m or 7d (default: 24h)', lengthOfTime)
    .addHelpText('after', '\nExample:\n  blockstore transfer create data --expires 2h')
    .action(async (reference: string, options: CreateTransferOptions, command: Command) => {
      const { createTransfer } = await import('./create.ts');
      await createTransfer(Context.of(command), reference, options);
    });
}

function addReading(transfer: Command): void {
  transfer
    .command('list')
    .description('list transfers in order of their creation')
    .option('--project <project>', 'only transfers that this project offers', textOf('project'))
    .option('--limit <n>', 'print at most n transfers, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore transfer list')
    .action(async (options: ListTransfersOptions, command: Command) => {
      const { listTransfers } = await import('./list.ts');
      await listTransfers(Context.of(command), options);
    });
  transfer
    .command('show')
    .description('print the details of a transfer')
    .argument('<transfer>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore transfer show to-the-lab')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showTransfer } = await import('./show.ts');
      await showTransfer(Context.of(command), reference);
    });
}

function addDelete(transfer: Command): void {
  transfer
    .command('delete')
    .description('end transfers; their volumes are available again')
    .argument('<transfer...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore transfer delete to-the-lab')
    .action(async (references: readonly string[], _options: object, command: Command) => {
      const { deleteTransfers } = await import('./delete.ts');
      await deleteTransfers(Context.of(command), references);
    });
}

function addAccept(transfer: Command): void {
  withWaitOptions(transfer.command('accept'))
    .description('move the volume of a transfer to a project and print its id')
    .argument('<transfer>', 'id, name, or beginning of an id')
    .option('--key <key>', 'the key (default: the first line of the standard input)')
    .option('--user <user>', 'the new owner (default: the current user)', textOf('user'))
    .option('--project <project>', 'the new project', textOf('project'), 'default')
    .addHelpText(
      'after',
      '\nWithout --key the key is in no history of a shell and in no list of processes.\n\nExample:\n  blockstore transfer accept 0b9e4c51 --project lab',
    )
    .action(async (reference: string, options: AcceptOptions, command: Command) => {
      const { acceptTransfer } = await import('./accept.ts');
      await acceptTransfer(Context.of(command), reference, options);
    });
}
