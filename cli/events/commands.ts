import type { Command } from 'commander';
import { atLeastOne } from '../arguments.ts';
import { Context } from '../context.ts';
import type { EventsOptions } from './events.ts';

export function addEventsCommands(program: Command): void {
  program
    .command('events')
    .description('print what began, ended and changed, with who asked for it')
    .option('--follow', 'print further events as they come, until Ctrl-C')
    .option('--volume <volume>', 'only events of this volume: id, name, or beginning of an id')
    .option('--limit <n>', 'print at most the last n events', atLeastOne, 50)
    .addHelpText('after', '\nExamples:\n  blockstore events --follow\n  blockstore events --volume data --json')
    .action(async (options: EventsOptions, command: Command) => {
      const { showEvents } = await import('./events.ts');
      await showEvents(Context.of(command), options);
    });
}
