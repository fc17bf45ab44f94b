import { BlockstoreError } from './blockstore-error.ts';

/** Errors of machines: state directories, disks, and devices and guests of an attaching host. */
export const hostErrors = {
  machineCloned: (name: string, theirs: string, ours: string) =>
    new BlockstoreError(
      'MachineCloned',
      'conflict',
      `node name ${name} is leased to ${theirs}, which has a copy of the state directory of this daemon, ${ours}`,
      'one machine is a clone of the other: on the clone run "systemd-machine-id-setup" after emptying /etc/machine-id, ' +
        'remove the state directory, set another storage_name, and start blockstored again',
    ),
  stateDirTaken: (directory: string) =>
    new BlockstoreError(
      'StateDirTaken',
      'conflict',
      `another daemon uses the state directory ${directory}`,
      'stop it first, or set another state_dir',
    ),
  stateDirUnusable: (directory: string, reason: string, cause: unknown) =>
    new BlockstoreError(
      'StateDirUnusable',
      'failed',
      `the state directory ${directory} cannot be used: ${reason}`,
      'make it writable for the daemon, or set another state_dir',
      { cause },
    ),
  stateDirDamaged: (file: string) =>
    new BlockstoreError(
      'StateDirDamaged',
      'failed',
      `${file} does not say which node this state directory belongs to`,
      `see that storage_name is the name of this node ("blockstore node list"), then remove ${file}`,
    ),
  stateDirOfOtherNode: (directory: string, owner: string, name: string) =>
    new BlockstoreError(
      'StateDirOfOtherNode',
      'conflict',
      `the state directory ${directory} belongs to node ${owner}, not to ${name}`,
      `to continue as that node, with its volumes: storage_name = ${owner}; to set up another node: set another state_dir`,
    ),
  deviceInUse: (device: string, users: readonly string[]) =>
    new BlockstoreError(
      'DeviceInUse',
      'conflict',
      `${device} is in use on this host: ${users.join(', ')}`,
      'unmount it or close the programs that use it, then retry',
    ),
  domainFailed: (domain: string, reason: string, hint: string) =>
    new BlockstoreError('DomainFailed', 'failed', `libvirt domain ${domain}: ${reason}`, hint),
  domainNotFound: (domain: string, uri: string) =>
    new BlockstoreError(
      'DomainNotFound',
      'notFound',
      `libvirt domain ${domain} does not exist`,
      `give its name or UUID: virsh --connect ${uri} list --all --uuid --name`,
    ),
  deviceElsewhere: (volume: string, host: string) =>
    new BlockstoreError(
      'DeviceElsewhere',
      'conflict',
      `volume ${volume} is attached on host ${host}, not on this one`,
      `detach it on that host, which checks for mounts; if the host is gone: blockstore volume detach ${volume} --force`,
    ),
  attachmentStays: (volume: string, reason: string, detachReason: string) =>
    new BlockstoreError(
      'AttachmentStays',
      'failed',
      `could not connect volume ${volume} to this host: ${reason}; detaching it again failed: ${detachReason}`,
      `detach it: blockstore volume detach ${volume}; if that fails as well, with --force`,
    ),
  attachmentUndone: (volume: string) =>
    new BlockstoreError(
      'AttachmentUndone',
      'unavailable',
      `the attachment of volume ${volume} was interrupted and undone`,
      `to attach it, repeat the command`,
    ),
  connectorFailed: (volume: string, reason: string, hint: string) =>
    new BlockstoreError(
      'ConnectorFailed',
      'failed',
      `could not connect volume ${volume} to this host: ${reason}`,
      hint,
    ),
  storageInUse: (device: string, users: readonly string[]) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `${device} cannot join the volume group: it is ${users.join(', ')}`,
      'set storage_dev to an unused disk; for a part of a multipath map set it to the map itself, /dev/mapper/NAME',
    ),
  storageUnusable: (
    device: string,
    reason: string,
    hint = `set storage_dev to an empty disk; to erase this one: wipefs --all ${device}`,
  ) => new BlockstoreError('StorageUnusable', 'failed', `${device} cannot join the volume group: ${reason}`, hint),
};
