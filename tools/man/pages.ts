import { exitCodeMeanings, exitCodes } from '../../cli/exit-codes.ts';
import { buildProgram } from '../../cli/program.ts';
import { flagHelp } from '../../lib/flags/print.ts';
import { version } from '../../lib/version.ts';
import { daemonOptions, systemConfig } from '../../services/daemon/usage.ts';
import { addCommands, optionsOf } from './command-page.ts';
import { ManPage } from './page.ts';

const summaries = {
  blockstore: 'manage persistent block volumes of a storage cluster',
  blockstored: 'daemon of a blockstore storage node',
  'blockstore.conf': 'configuration of blockstored and blockstore',
};
const sources = 'default, configuration file, environment, command line';

/** Returns the manual pages by file name. They are made from the tables that `--help` prints. */
export function manPages(): ReadonlyMap<string, string> {
  const pages = [commandPage(), daemonPage(), configurationPage()];
  return new Map(pages.map((page) => [page.file, page.toString()]));
}

function pageOf(name: keyof typeof summaries, section: number): ManPage {
  return new ManPage({ name, section, summary: summaries[name], version });
}

function commandPage(): ManPage {
  const program = buildProgram();
  const page = pageOf('blockstore', 1)
    .section('SYNOPSIS')
    .paragraph('blockstore [options] command [arguments]')
    .section('DESCRIPTION')
    .paragraph(
      'blockstore creates, attaches, detaches and deletes volumes, and inspects the cluster. It runs on every host that reaches the Redis of the cluster; the storage node that owns a volume carries the command out.',
    )
    .paragraph(
      'Results are printed on standard output, notes and errors on standard error. With --json both are JSON. A command waits until its operation ends, unless --no-wait is given. Ctrl-C ends the wait, not the operation.',
    )
    .paragraph(
      'A volume is given as its id, its name, or the beginning of its id with at least 8 digits, in this order. "volume delete" requires the id or the name.',
    )
    .section('GLOBAL OPTIONS')
    .items(optionsOf(program))
    .section('COMMANDS');
  addCommands(page, program);
  return page
    .section('EXIT STATUS')
    .items(exitCodeMeanings)
    .section('ENVIRONMENT')
    .item('BLOCKSTORE_CONFIG', 'Path of the configuration file.')
    .item('BLOCKSTORE_NAME', 'Value of the flag "name", for example BLOCKSTORE_REDIS_HOST for redis_host.')
    .item('NO_COLOR', 'Disables colours.')
    .section('FILES')
    .item(systemConfig, 'The configuration file; see blockstore.conf(5).')
    .section('SEE ALSO')
    .paragraph('blockstored(8), blockstore.conf(5)');
}

function daemonPage(): ManPage {
  const { invalid, failed, unavailable, conflict, denied } = exitCodes;
  return pageOf('blockstored', 8)
    .section('SYNOPSIS')
    .paragraph('blockstored [--config FILE] [--print-config] [--FLAG VALUE ...]')
    .section('DESCRIPTION')
    .paragraph(
      'blockstored manages the volumes of one storage node: it creates and deletes their storage, starts and stops their exports, and reports the state of the node to Redis. It is not in the data path: exports continue while it is stopped, crashed or being upgraded.',
    )
    .paragraph(
      'At its start the daemon acquires the lease of its node name, finds its running exports, and resumes interrupted operations.',
    )
    .section('OPTIONS')
    .items(daemonOptions)
    .item('--FLAG VALUE', 'Sets a flag of blockstore.conf(5), for example --redis-host redis1.')
    .section('SIGNALS')
    .item(
      'SIGTERM, SIGINT',
      'Stops in order: waits for operations under way, at most stop_timeout. The rest resumes at the next start. A second signal stops at once.',
    )
    .section('EXIT STATUS')
    .items([
      [0, 'stopped by a signal'],
      [failed, 'the start failed, or an internal error'],
      [invalid, 'invalid configuration; systemd does not restart the daemon'],
      [conflict, 'another daemon has the lease of the node name, or uses the state directory'],
      [unavailable, 'Redis is unavailable'],
      [denied, 'permission denied, by Redis or by the system'],
    ])
    .section('FILES')
    .items([
      [systemConfig, 'The configuration file.'],
      ['/var/lib/blockstore', 'State of the node (state_dir): its identity, LVM configuration and running exports.'],
      ['blockstored.service', 'The systemd unit of the daemon.'],
      ['blockstore-vblade@.service', 'The systemd unit of one AoE export; its instance is the id of the volume.'],
      ['blockstore-vblade-file@.service', 'The same for a volume of the driver file.'],
      ['blockstore-tgtd.service', 'The systemd unit of all iSCSI exports.'],
    ])
    .section('SEE ALSO')
    .paragraph('blockstore(1), blockstore.conf(5), vblade(8), lvm(8)');
}

function configurationPage(): ManPage {
  const page = pageOf('blockstore.conf', 5)
    .section('SYNOPSIS')
    .paragraph(systemConfig)
    .section('DESCRIPTION')
    .paragraph(
      `blockstored and blockstore read the file given by --config, else by BLOCKSTORE_CONFIG, else ${systemConfig}. Each line is "name = value". Empty lines and lines that begin with # are ignored. A value can be in double quotes; an empty value counts as not set. An unknown name, an invalid value or a repeated name is an error.`,
    )
    .paragraph(
      `A later source overrides an earlier one: ${sources}. "blockstored --print-config" prints every flag with its value and source. A change takes effect when the daemon restarts; exports continue meanwhile.`,
    )
    .section('BACKENDS')
    .paragraph(
      'A backend is a driver, a target and their flags. Without enabled_backends the node has one backend, named after its driver. With it, each name has a section "[name]" at the end of the file, which can contain volume_driver, volume_target and the flags of drivers and targets. Flags that a section omits have the values outside the sections.',
    )
    .section('FLAGS');
  for (const { title, flags } of flagHelp()) {
    page
      .subsection(title)
      .items(flags.map(({ name, meaning, initial }) => [name, `${capitalized(meaning)}. Default: ${initial}.`]));
  }
  return page
    .section('EXAMPLES')
    .paragraph('A node with one backend:')
    .example([
      'storage_name = node1',
      'storage_dev = /dev/sdb,/dev/sdc',
      'storage_create = true',
      'aoe_eth_dev = eth1',
      'redis_host = redis1',
    ])
    .paragraph('Two backends:')
    .example([
      'enabled_backends = fast, slow',
      '[fast]',
      'volume_group = nvme',
      '[slow]',
      'volume_group = disks',
      'aoe_durability = direct',
    ])
    .section('SEE ALSO')
    .paragraph('blockstore(1), blockstored(8)');
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
