import { type Command, Option } from 'commander';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import {
  atLeastOne,
  collectText,
  ethernetAddressList,
  hostNqnList,
  initiatorNameList,
  keyAndValue,
  milliseconds,
  sizeOf,
  textOf,
  uuid,
} from '../arguments.ts';
import { Context } from '../context.ts';
import type { AttachOptions } from './attach.ts';
import type { CreateOptions } from './create.ts';
import type { DeleteOptions } from './delete.ts';
import type { DetachOptions } from './detach.ts';
import { defaultLibvirtUri } from './libvirt-uri.ts';
import type { ListOptions } from './list.ts';
import type { MigrateOptions } from './migrate.ts';
import type { ReimageOptions } from './reimage.ts';
import type { RetypeOptions } from './retype.ts';
import type { UpdateOptions } from './update.ts';
import type { WaitOptions } from './wait.ts';
import type { ChangeOptions } from './wait-options.ts';

export function addVolumeCommands(program: Command): void {
  const volume = program
    .command('volume')
    .helpCommand(false)
    .description('create, list, attach, extend, migrate and delete volumes');
  addCreate(volume);
  addReading(volume);
  addAttach(volume);
  addDetach(volume);
  addExtend(volume);
  addUpdate(volume);
  addMigrate(volume);
  addRetype(volume);
  addRestores(volume);
  addDelete(volume);
  addWait(volume);
}

function addCreate(volume: Command): void {
  withWaitOptions(volume.command('create'))
    .description('create a volume and print its id')
    .argument('<size>', 'size in whole GiB, 0 to 1000; 0 creates 100 MiB for tests', sizeOf)
    .option('--name <name>', 'name of the volume', checkVolumeName)
    .option(
      '--node <node>',
      'node, node@backend or node@backend#pool to create it on (default: a backend with free space; that of its source)',
    )
    .option('--type <type>', 'volume type, by its id or name: what it requires of the backend')
    .option('--zone <zone>', 'availability zone', textOf('zone'))
    .addOption(new Option('--near <volume>', 'on the backend of this volume').conflicts('node'))
    .option('--apart-from <volume>', 'on another node than this volume; can be repeated', collectText)
    .addOption(
      new Option('--snapshot <snapshot>', 'begin with the data of this snapshot').conflicts(['source', 'image']),
    )
    .addOption(
      new Option('--source <volume>', 'begin with the data of this volume, as they are at one moment').conflicts(
        'image',
      ),
    )
    .option('--image <image>', 'begin with the data of this image, by its id or name')
    .addOption(
      new Option('--backup <backup>', 'begin with the data of this backup, by its id or name').conflicts([
        'snapshot',
        'source',
        'image',
      ]),
    )
    .option('--description <text>', 'description')
    .option('--meta <key=value>', 'a key of its metadata; can be repeated', keyAndValue('metadata'))
    .option('--bootable', 'an instance can start from it, as from one that is made from an image')
    .option('--read-only', 'nobody may write to it')
    .option('--multiattach', 'several hosts can have it at once; a file system on it must be made for that')
    .option('--encrypted', 'the hosts that attach it encrypt it, with a key that is derived from encryption_key_file')
    .option('--encryption-key <uuid>', 'with --backup: the key of its data, as "volume show" printed it', uuid)
    .option('--user <user>', 'owner (default: the current user)', textOf('user'))
    .option('--project <project>', 'project', textOf('project'), 'default')
    .option('--id <uuid>', 'id of the volume; repeating the command with the same id creates no second volume', uuid)
    .addHelpText('after', '\nExample:\n  blockstore volume create 10 --name data')
    .action(async (size: unknown, options: CreateOptions, command: Command) => {
      const { createVolume } = await import('./create.ts');
      await createVolume(Context.of(command), size, options);
    });
}

function addReading(volume: Command): void {
  volume
    .command('list')
    .description('list volumes in order of their creation')
    .option('--node <node>', 'only volumes of this node', textOf('node'))
    .option('--project <project>', 'only volumes of this project', textOf('project'))
    .option('--status <status>', 'only volumes in this status')
    .option('--limit <n>', 'print at most n volumes, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore volume list --node node1 --status available')
    .action(async (options: ListOptions, command: Command) => {
      const { listVolumes } = await import('./list.ts');
      await listVolumes(Context.of(command), options);
    });
  volume
    .command('show')
    .description('print the details of a volume')
    .argument('<volume>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore volume show data')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showVolume } = await import('./show.ts');
      await showVolume(Context.of(command), reference);
    });
}

function addAttach(volume: Command): void {
  withWaitOptions(volume.command('attach'))
    .description('attach a volume to an instance, to this host, or to a libvirt domain of this host')
    .argument('<volume>', 'id, name, or beginning of an id')
    .option(
      '--instance <instance>',
      'the instance (default: this host with --host-device, the domain with --domain)',
      textOf('instance'),
    )
    .option(
      '--mountpoint <device>',
      'device name in the instance, such as /dev/vdb (default with --host-device: the device)',
      textOf('mountpoint'),
    )
    .option('--host <host>', 'the host of the instance', textOf('host'))
    .addOption(
      new Option('--mode <mode>', 'read-write or read-only (default: rw, and ro for a read-only volume)').choices([
        'rw',
        'ro',
      ]),
    )
    .option(
      '--mac <addresses>',
      'comma-separated Ethernet addresses that are allowed to use the AoE export',
      ethernetAddressList,
    )
    .option(
      '--initiator <names>',
      'comma-separated iSCSI initiator names (iqn., eui., naa.) that are allowed to use the export',
      initiatorNameList,
    )
    .option('--nqn <names>', 'comma-separated NQNs of the hosts that are allowed to use the NVMe export', hostNqnList)
    .addOption(
      new Option('--host-device', 'connect the volume as a block device of this host and print the device').conflicts(
        'domain',
      ),
    )
    .option('--domain <domain>', 'connect the volume as a disk of this libvirt domain')
    .option('--key-file <file>', 'the key of the cluster, for an encrypted volume (default: encryption_key_file)')
    .addOption(
      new Option('--libvirt-uri <uri>', 'libvirt connection of the domain')
        .env('LIBVIRT_DEFAULT_URI')
        .default(defaultLibvirtUri),
    )
    .addHelpText(
      'after',
      `
Examples:
  blockstore volume attach data --instance i-1 --host compute1 --mountpoint /dev/vdb
  blockstore volume attach data --instance i-1 --mountpoint /dev/vdb --initiator iqn.1993-08.org.debian:01:abc
  blockstore volume attach data --host-device
  blockstore volume attach data --domain guest1 --mountpoint /dev/vdb`,
    )
    .action(async (reference: string, options: AttachOptions, command: Command) => {
      const { attachVolume } = await import('./attach.ts');
      await attachVolume(Context.of(command), reference, options);
    });
}

function addDetach(volume: Command): void {
  withWaitOptions(volume.command('detach'))
    .description('detach a volume; its device on this host is disconnected first')
    .argument('<volume>', 'id, name, or beginning of an id')
    .option(
      '--instance <instance>',
      'from this instance (default: the one of this host, or the only one)',
      textOf('instance'),
    )
    .option('--force', 'detach it although its host does not run, or still uses it')
    .option('--libvirt-uri <uri>', 'libvirt connection of the domain (default: the one of the attach)')
    .addHelpText('after', '\nExample:\n  blockstore volume detach data')
    .action(async (reference: string, options: DetachOptions, command: Command) => {
      const { detachVolume } = await import('./detach.ts');
      await detachVolume(Context.of(command), reference, options);
    });
}

function addExtend(volume: Command): void {
  withWaitOptions(volume.command('extend'))
    .description('extend a volume, also while it is attached; its device on this host grows with it')
    .argument('<volume>', 'id, name, or beginning of an id')
    .argument('<size>', 'new size in whole GiB, up to 1000', sizeOf)
    .addHelpText('after', '\nExample:\n  blockstore volume extend data 20')
    .action(async (reference: string, size: number, options: ChangeOptions, command: Command) => {
      const { extendVolume } = await import('./extend.ts');
      await extendVolume(Context.of(command), reference, size, options);
    });
}

function addUpdate(volume: Command): void {
  withWaitOptions(volume.command('update'))
    .description('change the name, description, metadata and flags of a volume')
    .argument('<volume>', 'id, name, or beginning of an id')
    .option('--name <name>', 'new name; "" removes it', (text: string) => (text === '' ? text : checkVolumeName(text)))
    .option('--description <text>', 'new description; "" removes it')
    .option('--meta <key=value>', 'set a key of its metadata; can be repeated', keyAndValue('metadata'))
    .option('--unset-meta <key>', 'remove a key of its metadata; can be repeated', collectText)
    .option('--bootable', 'an instance can start from it')
    .option('--no-bootable', 'no instance starts from it')
    .option('--read-only', 'nobody may write to it; it must be detached')
    .option('--no-read-only', 'hosts may write to it')
    .option('--multiattach', 'several hosts can have it at once; it must be detached')
    .option('--no-multiattach', 'one host has it at a time; it must be detached')
    .option('--delete-on-termination', 'it is to be deleted with its instance')
    .option('--no-delete-on-termination', 'it stays when its instance ends')
    .addHelpText('after', '\nExample:\n  blockstore volume update data --name logs --meta tier=slow')
    .action(async (reference: string, options: UpdateOptions, command: Command) => {
      const { updateVolume } = await import('./update.ts');
      await updateVolume(Context.of(command), reference, options);
    });
}

/** As long as a copy of all data makes progress it is waited for. */
const progressLimit = '10 min without progress';

function addMigrate(volume: Command): void {
  withWaitOptions(volume.command('migrate'), progressLimit)
    .description(
      'move a volume, with its data and its id, to another node or backend; hosts that have it on AoE wait for a moment',
    )
    .argument('<volume>', 'id, name, or beginning of an id')
    .option(
      '--to <node>',
      'node, node@backend or node@backend#pool that it is to have (default: another node with free space)',
      textOf('node'),
    )
    .addOption(
      new Option('--cancel', 'end the migration that is under way; the volume stays where it is').conflicts('to'),
    )
    .addHelpText(
      'after',
      `
Until all of its data are at the new place, compared by checksum, the volume stays where it is.

Examples:
  blockstore volume migrate data --to node2
  blockstore volume migrate data --cancel`,
    )
    .action(async (reference: string, options: MigrateOptions, command: Command) => {
      const { migrateVolume } = await import('./migrate.ts');
      await migrateVolume(Context.of(command), reference, options);
    });
}

function addRetype(volume: Command): void {
  withWaitOptions(volume.command('retype'), progressLimit)
    .description('give a volume another type')
    .argument('<volume>', 'id, name, or beginning of an id')
    .argument('<type>', 'id or name of the type')
    .option('--migrate', 'move it to a backend that meets the type, where its own does not')
    .addHelpText('after', '\nExample:\n  blockstore volume retype data fast --migrate')
    .action(async (reference: string, type: string, options: RetypeOptions, command: Command) => {
      const { retypeVolume } = await import('./retype.ts');
      await retypeVolume(Context.of(command), reference, type, options);
    });
}

function addRestores(volume: Command): void {
  withWaitOptions(volume.command('revert'), progressLimit)
    .description('replace all data of a detached volume by those of its latest snapshot')
    .argument('<volume>', 'id or name')
    .argument('<snapshot>', 'id, name, or beginning of an id')
    .addHelpText('after', '\nExample:\n  blockstore volume revert data before-upgrade')
    .action(async (reference: string, snapshot: string, options: ChangeOptions, command: Command) => {
      const { revertVolume } = await import('./revert.ts');
      await revertVolume(Context.of(command), reference, snapshot, options);
    });
  withWaitOptions(volume.command('reimage'), progressLimit)
    .description('replace all data of a detached volume by those of an image')
    .argument('<volume>', 'id or name')
    .argument('<image>', 'id or name')
    .option('--reserved', 'also where it is reserved for an attachment; it stays so')
    .addHelpText('after', '\nExample:\n  blockstore volume reimage data debian-12')
    .action(async (reference: string, image: string, options: ReimageOptions, command: Command) => {
      const { reimageVolume } = await import('./reimage.ts');
      await reimageVolume(Context.of(command), reference, image, options);
    });
}

function addDelete(volume: Command): void {
  withWaitOptions(volume.command('delete'), '60 s without progress')
    .description('delete volumes and wipe their data')
    .argument('<volume...>', 'ids or names')
    .option('--cascade', 'delete their snapshots as well')
    .addHelpText('after', '\nExample:\n  blockstore volume delete data logs')
    .action(async (references: readonly string[], options: DeleteOptions, command: Command) => {
      const { deleteVolumes } = await import('./delete.ts');
      await deleteVolumes(Context.of(command), references, options);
    });
}

function addWait(volume: Command): void {
  volume
    .command('wait')
    .description('wait until the operation on a volume ends, or for a status')
    .argument('<volume>', 'id, name, or beginning of an id')
    .option('--status <status>', 'wait for this status or attach status')
    .addOption(new Option('--deleted', 'wait until the volume is deleted').conflicts('status'))
    .option('--timeout <seconds>', 'time limit (default: none)', milliseconds)
    .addHelpText('after', '\nExample:\n  blockstore volume wait data --status available --timeout 300')
    .action(async (reference: string, options: WaitOptions, command: Command) => {
      const { waitForVolume } = await import('./wait.ts');
      await waitForVolume(Context.of(command), reference, options);
    });
}

/** Adds the options of every command that changes a volume. */
export function withWaitOptions(command: Command, limit = '60 s'): Command {
  return command
    .option('--wait', 'wait until the operation ends (default)')
    .option('--no-wait', 'return once the operation is recorded')
    .option('--timeout <seconds>', `time limit of the wait (default: ${limit}); the operation continues`, milliseconds);
}
