import type { Command } from 'commander';
import { collect, milliseconds, uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import type { AuditOptions } from './audit.ts';
import type { RebuildOptions } from './rebuild.ts';

export function addAuditCommands(program: Command): void {
  program
    .command('audit')
    .description('compare records, storage, exports and numbers on every node, and print what does not agree')
    .option('--repair', 'mend what can be mended; storage without a record is kept')
    .option(
      '--remove <id>',
      'remove the storage of this volume, which has no record where it is; may be repeated',
      (typed: string, before: string[] | undefined) => collect(uuid(typed), before),
    )
    .option('--node <node>', 'one node alone')
    .option('--timeout <seconds>', 'how long to wait for each node (default: 60)', milliseconds)
    .addHelpText(
      'after',
      `
What is merely under way is not listed. The exit code is 1 while something is left that does not agree.

Examples:
  blockstore audit
  blockstore audit --repair`,
    )
    .action(async (options: AuditOptions, command: Command) => {
      const { runAudit } = await import('./audit.ts');
      await runAudit(Context.of(command), options);
    });
  program
    .command('rebuild')
    .description('make the records of volumes again whose storage is there, after Redis lost them')
    .option('--node <node>', 'one node alone')
    .option('--timeout <seconds>', 'how long to wait for each node (default: 60)', milliseconds)
    .addHelpText(
      'after',
      `
Ids, sizes, owners and addresses are as before; names and attachments are not kept with the storage.
A daemon does the same at its start.

Example:
  blockstore rebuild`,
    )
    .action(async (options: RebuildOptions, command: Command) => {
      const { rebuild } = await import('./rebuild.ts');
      await rebuild(Context.of(command), options);
    });
}
