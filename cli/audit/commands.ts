import type { Command } from 'commander';
import { collect, milliseconds, textOf, uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import type { AuditOptions } from './audit.ts';
import type { RebuildOptions } from './rebuild.ts';

export function addAuditCommands(program: Command): void {
  program
    .command('audit')
    .description('compare records, storage, exports and addresses on every node, and print the differences')
    .option('--repair', 'fix the differences that can be fixed; storage without a record is kept')
    .option(
      '--remove <id>',
      'remove the storage of this volume or snapshot, which must have no record on its node; can be repeated',
      (id: string, previous: string[] | undefined) => collect(uuid(id), previous),
    )
    .option('--node <node>', 'only this node', textOf('node'))
    .option('--timeout <seconds>', 'time limit for each node (default: 60)', milliseconds)
    .addHelpText(
      'after',
      `
Operations under way are not differences. The exit code is 1 while differences remain, else 7 if something
was not examined.

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
    .description('restore the records of volumes from their storage, after Redis lost them')
    .option('--node <node>', 'only this node', textOf('node'))
    .option('--timeout <seconds>', 'time limit for each node (default: 60)', milliseconds)
    .addHelpText(
      'after',
      `
Restores ids, sizes, owners, names and addresses; attachments are not stored with the data.
Every daemon does the same when it starts.

Example:
  blockstore rebuild`,
    )
    .action(async (options: RebuildOptions, command: Command) => {
      const { rebuild } = await import('./rebuild.ts');
      await rebuild(Context.of(command), options);
    });
}
