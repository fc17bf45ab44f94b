import { type Command, Option } from 'commander';
import { atLeastOne, ethernetAddresses, milliseconds, sizeOf, uuid, volumeName } from '../arguments.ts';
import { Context } from '../context.ts';
import type { AttachOptions } from './attach.ts';
import type { CreateOptions } from './create.ts';
import type { DetachOptions } from './detach.ts';
import type { ListOptions } from './list.ts';
import type { WaitOptions } from './wait.ts';
import type { Waiting } from './waiting.ts';

export function addVolumeCommands(program: Command): void {
  const volume = program.command('volume').helpCommand(false).description('make, find, attach and delete volumes');
  addCreate(volume);
  addReading(volume);
  addAttach(volume);
  addDetach(volume);
  addDelete(volume);
  addWait(volume);
}

function addCreate(volume: Command): void {
  waiting(volume.command('create'))
    .description('make a volume and print its id')
    .argument('<size>', 'whole GiB from 0 to 1000; 0 makes 100 MiB, meant for tests', sizeOf)
    .option('--name <name>', 'name to know it by', volumeName)
    .option('--node <node>', 'the node to keep it on; without, one that has room')
    .option('--user <user>', 'its owner (default: who calls)')
    .option('--project <project>', 'its project', 'default')
    .option('--id <uuid>', 'its id: a second call with the same id makes no second volume', uuid)
    .addHelpText('after', '\nExample:\n  blockstore volume create 10 --name data')
    .action(async (size: unknown, options: CreateOptions, command: Command) => {
      const { createVolume } = await import('./create.ts');
      await createVolume(Context.of(command), size, options);
    });
}

function addReading(volume: Command): void {
  volume
    .command('list')
    .description('print volumes in order of their creation')
    .option('--node <node>', 'those of one node')
    .option('--project <project>', 'those of one project')
    .option('--status <status>', 'those in one status')
    .option('--limit <n>', 'print at most so many, then a marker', atLeastOne)
    .option('--marker <marker>', 'go on after the marker that an earlier list ended with')
    .addHelpText('after', '\nExample:\n  blockstore volume list --node node1 --status available')
    .action(async (options: ListOptions, command: Command) => {
      const { listVolumes } = await import('./list.ts');
      await listVolumes(Context.of(command), options);
    });
  volume
    .command('show')
    .description('print all about a volume')
    .argument('<volume>', 'id, beginning of an id, or name')
    .addHelpText('after', '\nExample:\n  blockstore volume show data')
    .action(async (typed: string, _options: object, command: Command) => {
      const { showVolume } = await import('./show.ts');
      await showVolume(Context.of(command), typed);
    });
}

function addAttach(volume: Command): void {
  waiting(volume.command('attach'))
    .description('attach a volume to an instance, to this host or to a libvirt domain of this host')
    .argument('<volume>', 'id, beginning of an id, or name')
    .option('--instance <instance>', 'the instance (default with --host-device: this host, with --domain: the domain)')
    .option('--mountpoint <device>', 'device name there, such as /dev/vdb (default with --host-device: the AoE device)')
    .option('--host <host>', 'the host that the instance runs on')
    .addOption(new Option('--mode <mode>', 'whether it may be written to').choices(['rw', 'ro']).default('rw'))
    .option('--mac <addresses>', 'Ethernet addresses that alone may use the export, with commas', ethernetAddresses)
    .addOption(new Option('--host-device', 'make it a block device of this host, and print it').conflicts('domain'))
    .option('--domain <domain>', 'give it to this libvirt domain as a disk')
    .addOption(libvirtUri())
    .addHelpText(
      'after',
      `
Examples:
  blockstore volume attach data --instance i-1 --host compute1 --mountpoint /dev/vdb
  blockstore volume attach data --host-device
  blockstore volume attach data --domain guest1 --mountpoint /dev/vdb`,
    )
    .action(async (typed: string, options: AttachOptions, command: Command) => {
      const { attachVolume } = await import('./attach.ts');
      await attachVolume(Context.of(command), typed, options);
    });
}

function addDetach(volume: Command): void {
  waiting(volume.command('detach'))
    .description('detach a volume; what "attach" made of it on this host goes first')
    .argument('<volume>', 'id, beginning of an id, or name')
    .option('--force', 'detach it although another host has it as a block device: for a host that is gone')
    .addOption(libvirtUri())
    .addHelpText('after', '\nExample:\n  blockstore volume detach data')
    .action(async (typed: string, options: DetachOptions, command: Command) => {
      const { detachVolume } = await import('./detach.ts');
      await detachVolume(Context.of(command), typed, options);
    });
}

function addDelete(volume: Command): void {
  waiting(volume.command('delete'), '60 s without progress')
    .description('delete volumes and wipe their data')
    .argument('<volume...>', 'ids, beginnings of ids, or names')
    .addHelpText('after', '\nExample:\n  blockstore volume delete data logs')
    .action(async (typed: readonly string[], options: Waiting, command: Command) => {
      const { deleteVolumes } = await import('./delete.ts');
      await deleteVolumes(Context.of(command), typed, options);
    });
}

function addWait(volume: Command): void {
  volume
    .command('wait')
    .description('wait until nothing is under way for a volume, or for a status')
    .argument('<volume>', 'id, beginning of an id, or name')
    .option('--status <status>', 'until it has this status, or attach status')
    .addOption(new Option('--deleted', 'until it is gone').conflicts('status'))
    .option('--timeout <seconds>', 'give up after so long (default: never)', milliseconds)
    .addHelpText('after', '\nExample:\n  blockstore volume wait data --status available --timeout 300')
    .action(async (typed: string, options: WaitOptions, command: Command) => {
      const { waitForVolume } = await import('./wait.ts');
      await waitForVolume(Context.of(command), typed, options);
    });
}

function libvirtUri(): Option {
  return new Option('--libvirt-uri <uri>', 'where the domain is').env('LIBVIRT_DEFAULT_URI').default('qemu:///system');
}

/** The options of every command that changes something. */
function waiting(command: Command, limit = '60 s'): Command {
  return command
    .option('--wait', 'wait for the end of it (default)')
    .option('--no-wait', 'return once it is recorded')
    .option(
      '--timeout <seconds>',
      `stop waiting after so long (default: ${limit}); it goes on by itself`,
      milliseconds,
    );
}
