import type { Command } from 'commander';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import { requirementNames } from '../../lib/models/requirements.ts';
import { atLeastOne, bytesOf, collectText, keyAndValue, operationsPerSecond } from '../arguments.ts';
import { Context } from '../context.ts';

export interface ChangeTypeOptions {
  description?: string;
  require?: Readonly<Record<string, string>>;
  meta?: Readonly<Record<string, string>>;
  iops?: number;
  bandwidth?: number;
  private?: true;
  admit?: readonly string[];
  encrypted?: boolean;
}

export interface UpdateTypeOptions extends ChangeTypeOptions {
  name?: string;
  unsetMeta?: readonly string[];
  public?: true;
  exclude?: readonly string[];
}

export interface ListTypesOptions {
  limit?: number;
  marker?: string;
}

export function addTypeCommands(program: Command): void {
  const type = program.command('type').helpCommand(false).description('define what volumes require of their backends');
  addCreate(type);
  addReading(type);
  addUpdate(type);
  addDelete(type);
}

function addCreate(type: Command): void {
  withFields(type.command('create'))
    .description('create a volume type and print its id')
    .argument('<name>', 'name of the type', checkVolumeName)
    .addHelpText('after', requirementHelp('blockstore type create fast --require pool=nvme --require snapshots=yes'))
    .action(async (name: string, options: ChangeTypeOptions, command: Command) => {
      const { createVolumeType } = await import('./create.ts');
      await createVolumeType(Context.of(command), name, options);
    });
}

function addReading(type: Command): void {
  type
    .command('list')
    .description('list volume types in order of their creation')
    .option('--limit <n>', 'print at most n types, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore type list')
    .action(async (options: ListTypesOptions, command: Command) => {
      const { listTypes } = await import('./list.ts');
      await listTypes(Context.of(command), options);
    });
  type
    .command('show')
    .description('print the details of a volume type')
    .argument('<type>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore type show fast')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showType } = await import('./show.ts');
      await showType(Context.of(command), reference);
    });
}

function addUpdate(type: Command): void {
  withFields(type.command('update'))
    .description('change a volume type; requirements only while it has no volume')
    .argument('<type>', 'id, name, or beginning of an id')
    .option('--name <name>', 'new name', checkVolumeName)
    .option('--unset-meta <key>', 'remove a key of its metadata; can be repeated', collectText)
    .option('--public', 'let every project use it')
    .option('--exclude <project>', 'no longer let this project use the private type; can be repeated', collectText)
    .option('--no-encrypted', 'hosts need not encrypt its volumes any more')
    .addHelpText('after', requirementHelp('blockstore type update fast --require thin='))
    .action(async (reference: string, options: UpdateTypeOptions, command: Command) => {
      const { updateVolumeType } = await import('./update.ts');
      await updateVolumeType(Context.of(command), reference, options);
    });
}

function addDelete(type: Command): void {
  type
    .command('delete')
    .description('delete volume types that no volume has')
    .argument('<type...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore type delete fast')
    .action(async (references: readonly string[], _options: object, command: Command) => {
      const { deleteTypes } = await import('./delete.ts');
      await deleteTypes(Context.of(command), references);
    });
}

function withFields(command: Command): Command {
  return command
    .option('--description <text>', 'description; "" removes it')
    .option(
      '--require <key=value>',
      'requirement of the backend; can be repeated; an empty value removes it',
      keyAndValue('requirement'),
    )
    .option('--meta <key=value>', 'a key of its metadata; can be repeated', keyAndValue('metadata'))
    .option('--iops <n>', 'limit of reads per second, and of writes per second; 0: no limit', operationsPerSecond)
    .option(
      '--bandwidth <bytes>',
      'limit of bytes per second, such as 50MiB, for reads and writes each; 0: no limit',
      bytesOf,
    )
    .option('--private', 'only the projects that are admitted can use it')
    .option('--admit <project>', 'let this project use the private type; can be repeated', collectText)
    .option('--encrypted', 'have the hosts encrypt its volumes');
}

function requirementHelp(example: string): string {
  return `
Requirements: ${requirementNames.join(', ')}.
backend, pool, driver, target and zone are names as in "blockstore node show"; the others are yes or no.

Example:
  ${example}`;
}
