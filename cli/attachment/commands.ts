import { type Command, Option } from 'commander';
import { atLeastOne, ethernetAddressList, hostNqnList, initiatorNameList, textOf, uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { ChangeOptions } from '../volume/wait-options.ts';
import type { CreateAttachmentOptions } from './create.ts';
import type { ListAttachmentsOptions } from './list.ts';
import type { UpdateAttachmentOptions } from './update.ts';

export function addAttachmentCommands(program: Command): void {
  const attachment = program
    .command('attachment')
    .helpCommand(false)
    .description('attach volumes in steps: reserve, admit a host, complete');
  addCreate(attachment);
  addUpdate(attachment);
  addComplete(attachment);
  addReading(attachment);
  addDelete(attachment);
}

function modeOption(description: string): Option {
  return new Option('--mode <mode>', description).choices(['rw', 'ro']);
}

function addCreate(attachment: Command): void {
  attachment
    .command('create')
    .description('reserve a volume for an instance, and print the id of the attachment; no host has the volume yet')
    .argument('<volume>', 'id, name, or beginning of an id')
    .requiredOption('--instance <instance>', 'the instance', textOf('instance'))
    .option('--mountpoint <device>', 'device name in the instance, such as /dev/vdb', textOf('mountpoint'))
    .option('--host <host>', 'the host of the instance', textOf('host'))
    .addOption(modeOption('read-write or read-only (default: rw)'))
    .option('--id <uuid>', 'id of the attachment; repeating the command with the same id makes no second one', uuid)
    .addHelpText('after', '\nExample:\n  blockstore attachment create data --instance i-1')
    .action(async (reference: string, options: CreateAttachmentOptions, command: Command) => {
      const { createAttachment } = await import('./create.ts');
      await createAttachment(Context.of(command), reference, options);
    });
}

function addUpdate(attachment: Command): void {
  withWaitOptions(attachment.command('update'))
    .description('admit a host to the volume of a reserved attachment, and print the id')
    .argument('<attachment>', 'its id', uuid)
    .option('--mountpoint <device>', 'device name in the instance, such as /dev/vdb', textOf('mountpoint'))
    .option('--host <host>', 'the host of the instance', textOf('host'))
    .addOption(modeOption('read-write or read-only (default: as it was reserved)'))
    .option('--mac <addresses>', 'comma-separated Ethernet addresses of the host, for AoE', ethernetAddressList)
    .option('--initiator <names>', 'comma-separated iSCSI initiator names of the host', initiatorNameList)
    .option('--nqn <names>', 'comma-separated NQNs of the host, for NVMe', hostNqnList)
    .addHelpText(
      'after',
      '\nExample:\n  blockstore attachment update "$id" --initiator iqn.1993-08.org.debian:01:abc\n  blockstore attachment connection "$id"',
    )
    .action(async (id: string, options: UpdateAttachmentOptions, command: Command) => {
      const { updateAttachment } = await import('./update.ts');
      await updateAttachment(Context.of(command), id, options);
    });
}

function addComplete(attachment: Command): void {
  attachment
    .command('complete')
    .description('say that the host of an attachment uses the volume')
    .argument('<attachment>', 'its id', uuid)
    .addHelpText('after', '\nExample:\n  blockstore attachment complete "$id"')
    .action(async (id: string, _options: object, command: Command) => {
      const { completeAttachment } = await import('./complete.ts');
      await completeAttachment(Context.of(command), id);
    });
}

function addReading(attachment: Command): void {
  attachment
    .command('list')
    .description('list attachments in order of their creation')
    .option('--volume <volume>', 'only those of this volume')
    .addOption(
      new Option('--project <project>', 'only those of volumes of this project')
        .argParser(textOf('project'))
        .conflicts('volume'),
    )
    .option('--limit <n>', 'print at most n attachments, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore attachment list --volume data')
    .action(async (options: ListAttachmentsOptions, command: Command) => {
      const { listAttachments } = await import('./list.ts');
      await listAttachments(Context.of(command), options);
    });
  attachment
    .command('show')
    .description('print the details of an attachment')
    .argument('<attachment>', 'its id', uuid)
    .addHelpText('after', '\nExample:\n  blockstore attachment show "$id"')
    .action(async (id: string, _options: object, command: Command) => {
      const { showAttachment } = await import('./show.ts');
      await showAttachment(Context.of(command), id);
    });
  attachment
    .command('connection')
    .description('print how the host of an attachment connects the volume, as JSON, with the secret where there is one')
    .argument('<attachment>', 'its id', uuid)
    .addHelpText('after', '\nExample:\n  blockstore attachment connection "$id" | jq .data.target_iqn')
    .action(async (id: string, _options: object, command: Command) => {
      const { showConnection } = await import('./connection.ts');
      await showConnection(Context.of(command), id);
    });
}

function addDelete(attachment: Command): void {
  withWaitOptions(attachment.command('delete'))
    .description('end attachments; their hosts lose the volumes, which nothing is to use any more')
    .argument('<attachment...>', 'ids')
    .addHelpText('after', '\nExample:\n  blockstore attachment delete "$id"')
    .action(async (ids: readonly string[], options: ChangeOptions, command: Command) => {
      const { deleteAttachments } = await import('./delete.ts');
      await deleteAttachments(Context.of(command), ids, options);
    });
}
