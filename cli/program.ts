import { Command, Option } from 'commander';
import { version } from '../lib/version.ts';
import { collect } from './arguments.ts';
import { addAuditCommands } from './audit/commands.ts';
import { addClusterCommands } from './cluster/commands.ts';
import { addCompletionCommands } from './completion/commands.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { addNodeCommands } from './node/commands.ts';
import { addVolumeCommands } from './volume/commands.ts';

/** The command tree. Nothing in it is loaded before it is called: help and errors come at once. */
export function buildProgram(): Command {
  const program = new Command('blockstore')
    .description('Persistent block volumes for a cluster of plain Linux machines.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
    .option(
      '--config <file>',
      'configuration file (default: BLOCKSTORE_CONFIG, var/blockstore.conf, /etc/blockstore/blockstore.conf)',
    )
    .option('--redis-url <url>', 'Redis of the cluster: redis://host[:port][/db], rediss://…, unix:/path')
    .addOption(new Option('--set <name=value>', 'any flag of the configuration, may be repeated').argParser(collect))
    .option('--json', 'print JSON, errors too')
    .option('--no-color', 'print no colours')
    .option('-q, --quiet', 'print results and errors alone');
  addVolumeCommands(program);
  addNodeCommands(program);
  addClusterCommands(program);
  addAuditCommands(program);
  addCompletionCommands(program);
  return program.addHelpText(
    'after',
    `
Wherever a volume is named, the beginning of its id or its name will do.
Every flag of the configuration may also be set in the environment: BLOCKSTORE_REDIS_HOST=….
${exitCodesHelp}

Example:
  id=$(blockstore volume create 10 --name data)
  blockstore volume attach "$id" --host-device`,
  );
}
