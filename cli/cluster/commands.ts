import { type Command, Option } from 'commander';
import { Context } from '../context.ts';
import type { DoctorOptions } from '../doctor/doctor.ts';

export function addClusterCommands(program: Command): void {
  program
    .command('status')
    .description('print a summary of the cluster, problems first')
    .addHelpText('after', '\nExample:\n  blockstore status')
    .action(async (_options: object, command: Command) => {
      const { showStatus } = await import('./status.ts');
      await showStatus(Context.of(command));
    });
  program
    .command('doctor')
    .description('check this host and print how to fix each problem; works without a running daemon')
    .addOption(
      new Option('--role <role>', 'role of this host: stores volumes, or attaches them').choices([
        'storage',
        'compute',
      ]),
    )
    .addHelpText('after', '\nExample:\n  blockstore doctor --role storage')
    .action(async (options: DoctorOptions, command: Command) => {
      const { runDoctor } = await import('../doctor/doctor.ts');
      await runDoctor(Context.of(command), options);
    });
}
