import { Command, Option } from 'commander';
import { version } from '../lib/version.ts';
import { collect } from './arguments.ts';
import { addAuditCommands } from './audit/commands.ts';
import { addClusterCommands } from './cluster/commands.ts';
import { addCompletionCommands } from './completion/commands.ts';
import type { GlobalOptions } from './context.ts';
import { exitCodeMeanings } from './exit-codes.ts';
import { addEventsCommands } from './events/commands.ts';
import { addGroupCommands } from './group/commands.ts';
import { addGroupSnapshotCommands } from './group-snapshot/commands.ts';
import { addHostCommands } from './host/commands.ts';
import { addAttachmentCommands } from './attachment/commands.ts';
import { addBackupCommands } from './backup/commands.ts';
import { addImageCommands } from './image/commands.ts';
import { addNodeCommands } from './node/commands.ts';
import { addProjectCommands } from './project/commands.ts';
import { addQuotaCommands } from './quota/commands.ts';
import { addSnapshotCommands } from './snapshot/commands.ts';
import { addTokenCommands } from './token/commands.ts';
import { addTransferCommands } from './transfer/commands.ts';
import { addTypeCommands } from './type/commands.ts';
import { addUserCommands } from './user/commands.ts';
import { addVolumeCommands } from './volume/commands.ts';

/** Builds the command tree. A command's code is loaded when it runs, so that help and usage errors are fast. */
export function buildProgram(): Command {
  const program = new Command('blockstore')
    .description('Persistent block volumes for a cluster of plain Linux machines.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true, minWidthToWrap: 24 }) // the longest names leave so much of 80 columns
    .option(
      '--config <file>',
      'configuration file (default: BLOCKSTORE_CONFIG, var/blockstore.conf, /etc/blockstore/blockstore.conf)',
    )
    .option('--redis-url <url>', 'Redis of the cluster: redis://host[:port][/db], rediss://…, unix:/path')
    .addOption(new Option('--set <name=value>', 'set a configuration flag; can be repeated').argParser(collect))
    .option('--json', 'print results and errors as JSON')
    .option('--no-color', 'disable colours')
    .option('-q, --quiet', 'print only results and errors');
  // In the order of the command line: the last one of several addresses is used.
  program.on('option:redis-url', (url: string) => {
    program.setOptionValue('set', collect(`redis_url=${url}`, program.opts<GlobalOptions>().set));
  });
  addVolumeCommands(program);
  addAttachmentCommands(program);
  addSnapshotCommands(program);
  addGroupCommands(program);
  addGroupSnapshotCommands(program);
  addImageCommands(program);
  addBackupCommands(program);
  addTransferCommands(program);
  addTypeCommands(program);
  addQuotaCommands(program);
  addProjectCommands(program);
  addUserCommands(program);
  addTokenCommands(program);
  addNodeCommands(program);
  addClusterCommands(program);
  addHostCommands(program);
  addEventsCommands(program);
  addAuditCommands(program);
  addCompletionCommands(program);
  return program.addHelpText(
    'after',
    `
A <volume> is an id, a name, or the beginning of an id (at least 8 digits; not for "volume delete", "detach --force"
and "wait --deleted").
Each configuration flag can also be set in the environment, for example BLOCKSTORE_REDIS_HOST=….

Exit codes:
${exitCodeMeanings.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}

Example:
  id=$(blockstore volume create 10 --name data)
  blockstore volume attach "$id" --host-device`,
  );
}
