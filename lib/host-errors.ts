import { BlockstoreError } from './blockstore-error.ts';
import { timeLimit } from './format-text.ts';

/** What keeps exports on a network interface from being reached. */
export type InterfaceState = keyof typeof interfaceHints;

const interfaceHints = {
  'does not exist': 'set aoe_eth_dev to the name of an interface, not to an alternative one: ip -br link',
  'is down': 'bring it up (ip link set NAME up), or set aoe_eth_dev',
  'is no Ethernet interface': 'set aoe_eth_dev to an Ethernet interface, VLAN, bond or bridge: ip -br link',
  'is a port of a bridge, which takes its frames':
    'set aoe_eth_dev to the bridge (ip -o link show NAME prints it after "master"), or run: ip link set NAME nomaster',
  'has an MTU below 548, too small for one sector': 'raise it, at best to 9000: ip link set NAME mtu 9000',
  'has no carrier': 'check its cable and switch port; for a bridge, bond or VLAN, those of the interfaces below it',
  'has no carrier yet: its bridge waits for the spanning tree (STP)':
    'wait for twice its forward delay (30 s), or shorten that: ip link set NAME type bridge forward_delay 200',
} as const;

/** The master of the ports of every bridge of Open vSwitch, which serves no exports itself. */
const openVSwitch = 'ovs-system';

/** Errors of machines: state directories, disks, network interfaces, and devices and guests of an attaching host. */
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
  checkoutTaken: (directory: string) =>
    new BlockstoreError(
      'StateDirTaken',
      'conflict',
      `another "npm start" uses ${directory}`,
      'stop it first, or run this one in another checkout',
    ),
  stateDirCopied: (name: string, theirs: string) =>
    new BlockstoreError(
      'StateDirTaken',
      'conflict',
      `node name ${name} is leased to ${theirs}, a running daemon of this machine on the same state directory or a copy of it`,
      'stop that daemon first, or set a storage_name and an empty state_dir for this one; do not remove the file "lock" of a ' +
        'state directory that is in use',
    ),
  stateDirUnusable: (directory: string, reason: string, cause: unknown) =>
    new BlockstoreError(
      'StateDirUnusable',
      'failed',
      `the state directory ${directory} cannot be used: ${reason}`,
      'make it writable for the daemon, or set another state_dir',
      { cause },
    ),
  directoryFull: (flag: string, directory: string, reason: string, cause?: unknown) =>
    new BlockstoreError(
      'DirectoryFull',
      'exhausted',
      `${directory} (${flag}) has no space for more: ${reason}`,
      `free space or inodes there, or raise the quota: df -h ${directory}, df -i ${directory}; or set another ${flag}`,
      { cause },
    ),
  directoryUnusable: (flag: string, directory: string, reason: string, cause?: unknown) =>
    new BlockstoreError(
      'DirectoryUnusable',
      'failed',
      `${directory} (${flag}) cannot be used: ${reason}`,
      `see that it is a directory, mounted, not read-only, and open to this user: ls -ld ${directory}, findmnt -T ${directory}; or set another ${flag}`,
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
  interfaceDown: (name: string, state: InterfaceState) =>
    new BlockstoreError(
      'InterfaceDown',
      'failed',
      `network interface ${name} ${state}`,
      interfaceHints[state].replaceAll('NAME', name),
    ),
  interfaceIsPort: (name: string, master: string) =>
    new BlockstoreError(
      'InterfaceDown',
      'failed',
      `network interface ${name} is a port of ${master}`,
      master === openVSwitch
        ? `set aoe_eth_dev to its bridge, which this prints: ovs-vsctl port-to-br ${name}`
        : `set aoe_eth_dev to ${master}, or remove the interface from it: ip link set ${name} nomaster`,
    ),
  noRawSocket: (name: string) =>
    new BlockstoreError(
      'NoRawSocket',
      'denied',
      `vblade is not permitted to open a raw socket on ${name}`,
      'run the daemon as root, or give vblade CAP_NET_RAW: setcap cap_net_raw+ep "$(command -v vblade)"',
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
  domainNotThere: (domain: string, uri: string, attachedThrough: string) =>
    new BlockstoreError(
      'DomainNotFound',
      'notFound',
      `libvirt domain ${domain} does not exist at ${uri}; the volume was attached through ${attachedThrough}`,
      'omit --libvirt-uri',
    ),
  libvirtUriRefused: (reason: string) =>
    new BlockstoreError(
      'InvalidArgument',
      'invalid',
      `the libvirt connection ${reason}`,
      'give the URI of a libvirt of this host, such as qemu:///system, or omit --libvirt-uri',
    ),
  /** `others` says what distinguishes that host where it has the name of this one. */
  deviceElsewhere: (volume: string, host: string, others: string) =>
    new BlockstoreError(
      'DeviceElsewhere',
      'conflict',
      others !== ''
        ? `volume ${volume} is attached on host ${host} with ${others}`
        : `volume ${volume} is attached on host ${host}, not on this one`,
      `detach it on that host, which checks for mounts; if the host is gone: blockstore volume detach ${volume} --force`,
    ),
  /** `others` says what this host lacks. */
  notAdmitted: (volume: string, host: string, others: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached on host ${host} with ${others || 'other addresses than this one'}, and admits no others`,
      `if this is that host, which was admitted before those changed: blockstore volume detach ${volume} --force, then ` +
        'attach it again; if not, detach it on that host',
    ),
  attachedOtherwise: (volume: string, differences: readonly string[]) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to this host already, with ${differences.join(', ')}`,
      `repeat the command with these values, or detach it first: blockstore volume detach ${volume}`,
    ),
  hostBusy: (volume: string, limitMs: number) =>
    new BlockstoreError(
      'NotFinished',
      'unavailable',
      `another command of this host, which attaches or detaches volume ${volume}, did not end within ${timeLimit(limitMs)}`,
      'wait until it ends, or end it; then repeat the command',
    ),
  connectionInterrupted: (volume: string) =>
    new BlockstoreError(
      'Interrupted',
      'unavailable',
      `the connection of volume ${volume} to this host was interrupted; the volume is still attached`,
      'to connect it, repeat the command',
    ),
  hostLost: (volume: string, hosts: readonly string[]) =>
    new BlockstoreError(
      'DeviceElsewhere',
      'conflict',
      `volume ${volume} is attached to a host that Redis has lost; its export admits ${hosts.join(', ') || 'every host'}`,
      `where a host uses it, record that there: blockstore volume attach ${volume} --host-device (or --domain); ` +
        `if none does: blockstore volume detach ${volume} --force`,
    ),
  attachmentStays: (volume: string, reason: string, detachReason: string) =>
    new BlockstoreError(
      'AttachmentStays',
      'failed',
      `could not connect volume ${volume} to this host: ${reason}; detaching it again failed: ${detachReason}`,
      `detach it: blockstore volume detach ${volume}; if that fails as well, with --force`,
    ),
  attachmentLate: (volume: string, reason: string) =>
    new BlockstoreError(
      'NotFinished',
      'unavailable',
      `${reason}; it is not connected to this host`,
      `when it has ended ("blockstore volume wait ${volume}"): blockstore volume detach ${volume}, then attach it again`,
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
  poolUnusable: (directory: string) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `${directory} cannot hold volumes: it is not a directory, and cannot be made one`,
      'set volume_pool_dir to a directory, or to the path of a new one; a link must lead to a directory',
    ),
  poolReplaced: (directory: string, file: string) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `the directory ${directory} is not the pool that this node used before; its file system may not be mounted`,
      `mount it, or restore the directory; if it was replaced on purpose: rm ${file}, then restart the daemon`,
    ),
  poolInUse: (directory: string, node: string) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `node ${JSON.stringify(node)} has its volumes in the directory ${directory}`,
      'set volume_pool_dir to a directory of this node alone, or stop the daemon of the other node',
    ),
  poolNotWritable: (directory: string, reason: string) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `the directory ${directory} is not writable: ${reason}`,
      'check the disk (dmesg), then remount the file system writable (mount -o remount,rw), or correct the permissions',
    ),
};
