import type { Command } from 'commander';
import type { Limits } from '../../lib/client/quotas.ts';
import { errors } from '../../lib/errors.ts';
import { textOf } from '../arguments.ts';
import { Context } from '../context.ts';

const gibibyte = 2 ** 30;
/** More than any storage has: the counters of Redis scripts are exact up to 2^53. */
const most = 1_000_000;

export interface SetQuotaOptions {
  volumes?: Limits['volumes'];
  gigabytes?: Limits['bytes'];
  snapshots?: Limits['snapshots'];
  /** Those of every project. */
  default?: boolean;
}

export function addQuotaCommands(program: Command): void {
  const quota = program.command('quota').helpCommand(false).description('limit what projects may have');
  addSet(quota);
  addReading(quota);
  addDelete(quota);
}

function addSet(quota: Command): void {
  quota
    .command('set')
    .description('limit what a project may have; limits that are not given stay as they are')
    .argument('[project]', 'project', textOf('project'))
    .option('--default', 'the limits of every project that has none of its own')
    .option('--volumes <n>', 'volumes', (text: string) => limitOf('volumes', text))
    .option('--gigabytes <n>', 'GiB of its volumes and snapshots together', (text: string) =>
      limitOf('gigabytes', text, gibibyte),
    )
    .option('--snapshots <n>', 'snapshots', (text: string) => limitOf('snapshots', text))
    .addHelpText(
      'after',
      `
Each limit is a whole number, "unlimited", or "default": that of every project. What a project has already stays,
also beyond its limits. A snapshot counts with the size that its volume had.

Examples:
  blockstore quota set web --volumes 20 --gigabytes 500
  blockstore quota set --default --gigabytes 100`,
    )
    .action(async (project: string | undefined, options: SetQuotaOptions, command: Command) => {
      const { setProjectQuota } = await import('./set.ts');
      await setProjectQuota(Context.of(command), project, options);
    });
}

function addReading(quota: Command): void {
  quota
    .command('list')
    .description('list the quotas of projects that have one of their own')
    .addHelpText('after', '\nExample:\n  blockstore quota list')
    .action(async (_options: object, command: Command) => {
      const { listQuotas } = await import('./list.ts');
      await listQuotas(Context.of(command));
    });
  quota
    .command('show')
    .description('print what a project has and may have')
    .argument('<project>', 'project', textOf('project'))
    .addHelpText('after', '\nExample:\n  blockstore quota show web')
    .action(async (project: string, _options: object, command: Command) => {
      const { showQuota } = await import('./show.ts');
      await showQuota(Context.of(command), project);
    });
}

function addDelete(quota: Command): void {
  quota
    .command('delete')
    .description('remove the limits of a project: those of every project apply to it again')
    .argument('<project>', 'project', textOf('project'))
    .addHelpText('after', '\nExample:\n  blockstore quota delete web')
    .action(async (project: string, _options: object, command: Command) => {
      const { deleteQuota } = await import('./delete.ts');
      await deleteQuota(Context.of(command), project);
    });
}

/** Throws InvalidArgument. */
function limitOf(option: string, text: string, unit = 1): number | 'unlimited' | 'default' {
  if (text === 'unlimited' || text === 'default') return text;
  const limit = /^\d{1,7}$/.test(text) ? Number(text) : Infinity;
  if (limit <= most) return limit * unit;
  throw errors.invalidArgument(option, text, `a whole number up to ${most}, unlimited, or default`);
}
