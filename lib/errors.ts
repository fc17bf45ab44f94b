/**
 * The one catalogue of errors. Every error that leaves this project is made by a function of `errors`: a stable `code`,
 * a `kind` that the edges (command line, later HTTP) map to their own status, one line that names the object, and the
 * way out. What crosses from node to node is `toFault()`; `fromFault()` is its reverse.
 */

export type ErrorKind = 'invalid' | 'notFound' | 'conflict' | 'exhausted' | 'unavailable' | 'denied' | 'failed';

/** What a record or an answer keeps of an error. `time` is in milliseconds since the epoch. */
export interface Fault {
  code: string;
  kind: ErrorKind;
  message: string;
  hint?: string;
  step?: string;
  time?: number;
}

export class BlockstoreError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(code: string, kind: ErrorKind, message: string, hint?: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = code;
    this.code = code;
    this.kind = kind;
    this.hint = hint;
  }

  toFault(step?: string): Fault {
    return {
      code: this.code,
      kind: this.kind,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(step === undefined ? {} : { step }),
      time: Date.now(),
    };
  }
}

/** Any thrown value as an error of the catalogue; what is not one becomes `Internal`, with its cause kept. */
export function asError(thrown: unknown): BlockstoreError {
  if (thrown instanceof BlockstoreError) return thrown;
  // A start that failed: what then could not be stopped either says less than its cause.
  if (thrown instanceof AggregateError && thrown.cause !== undefined) return asError(thrown.cause);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  // ENOSPC, EPERM and the like, with the call and mostly the path in the message.
  if (thrown instanceof Error && 'syscall' in thrown) {
    return new BlockstoreError(
      'SystemRefused',
      'failed',
      `this host refused: ${message}`,
      'see that its file systems have room and that the daemon may read and write there: "df", "ls -l"',
      { cause: thrown },
    );
  }
  return new BlockstoreError('Internal', 'failed', `internal error: ${message}`, 'see the log of the daemon', {
    cause: thrown,
  });
}

export function fromFault(fault: Fault): BlockstoreError {
  return new BlockstoreError(fault.code, fault.kind, fault.message, fault.hint);
}

const seeVolumes = 'list volumes with "blockstore volume list"';
const seeDoctor = 'run "blockstore doctor" on that node';

export const errors = {
  invalidArgument: (name: string, value: unknown, wanted: string) =>
    new BlockstoreError('InvalidArgument', 'invalid', `${name} ${JSON.stringify(value)} is not ${wanted}`),
  invalidFlags: (problems: readonly string[]) =>
    new BlockstoreError('InvalidFlags', 'invalid', problems.join('\n'), 'see "blockstored --help"'),
  invalidSize: (size: unknown) =>
    new BlockstoreError(
      'InvalidSize',
      'invalid',
      `size ${JSON.stringify(size)} is not a whole number of GiB from 0 to 1000`,
      '0 makes a volume of 100 MiB, meant for tests',
    ),
  volumeNotFound: (volume: string) =>
    new BlockstoreError('VolumeNotFound', 'notFound', `volume ${volume} does not exist`, seeVolumes),
  volumeAmbiguous: (typed: string, matches: readonly string[]) =>
    new BlockstoreError(
      'VolumeAmbiguous',
      'invalid',
      `${typed} names more than one volume: ${matches.join(', ')}`,
      'type more of the id',
    ),
  volumeExists: (volume: string) =>
    new BlockstoreError('VolumeExists', 'conflict', `volume ${volume} exists already`, seeVolumes),
  volumeAttached: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance}`,
      `detach it first: blockstore volume detach ${volume}`,
    ),
  volumeNotAttached: (volume: string) =>
    new BlockstoreError('VolumeNotAttached', 'conflict', `volume ${volume} is not attached`, seeVolumes),
  volumeBusy: (volume: string, by: string) =>
    new BlockstoreError(
      'VolumeBusy',
      'conflict',
      `volume ${volume} is in use on its node: ${by}`,
      `end that use, then try again: blockstore volume delete ${volume}`,
    ),
  wrongStatus: (volume: string, status: string, wanted: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is ${status}; this needs ${wanted}`,
      `wait for it: blockstore volume wait ${volume}`,
    ),
  notLocal: (volume: string, owner: string, node: string) =>
    new BlockstoreError(
      'NotLocal',
      'conflict',
      `volume ${volume} belongs to node ${owner}; it is not local to this node, ${node}`,
      `"blockstore volume delete ${volume}" reaches its owner from anywhere`,
    ),
  noMoreVolumes: (where: string) =>
    new BlockstoreError(
      'NoMoreVolumes',
      'exhausted',
      `${where} has no AoE number left for another volume`,
      'delete volumes, raise last_shelf_id or slots_per_shelf, or add a node',
    ),
  noSpace: (where: string, wantedBytes: number, freeBytes: number) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `${where} has ${gib(freeBytes)} GiB free, ${gib(wantedBytes)} GiB are wanted`,
      'delete volumes, add a disk to the pool, or add a node',
    ),
  noNode: (name: string) =>
    new BlockstoreError('NodeNotFound', 'notFound', `node ${name} does not exist`, 'see "blockstore node list"'),
  noNodeUp: () =>
    new BlockstoreError(
      'NoNodeUp',
      'unavailable',
      'no storage node is up',
      'start blockstored on a node; "blockstore node list" shows which were heard of',
    ),
  nodeDown: (name: string) =>
    new BlockstoreError(
      'NodeDown',
      'unavailable',
      `node ${name} is down`,
      'start blockstored there, or name another node',
    ),
  nodeUp: (name: string) =>
    new BlockstoreError(
      'NodeUp',
      'conflict',
      `node ${name} is up: only one that is not heard of can be declared lost`,
      'stop its daemon first, or see that its machine is off and wait for node_down_time',
    ),
  noAnswer: (node: string, seconds: number) =>
    new BlockstoreError(
      'NoAnswer',
      'unavailable',
      `node ${node} has not answered within ${seconds} s`,
      `see "blockstore node show ${node}", and the log of its daemon; --timeout gives it longer`,
    ),
  nodeLost: (name: string) =>
    new BlockstoreError(
      'NodeLost',
      'unavailable',
      `the volume was on node ${name}, which was declared lost`,
      'it is there again when blockstored runs on that node again; if it never will: blockstore volume delete',
    ),
  nodeNameTaken: (name: string, holder: string, seconds: number) =>
    new BlockstoreError(
      'NodeNameTaken',
      'conflict',
      `node name ${name} is held by ${holder} for another ${seconds} s`,
      'stop that daemon, wait, or give this one another storage_name',
    ),
  fenced: (name: string) =>
    new BlockstoreError(
      'Fenced',
      'conflict',
      `this daemon no longer holds the node name ${name}: another one took it, or the node was declared lost; it changes nothing more`,
      'running exports were left alone; give every daemon a storage_name of its own, then start it again',
    ),
  notFinished: (volume: string, operation: string, seconds: number, state: string) =>
    new BlockstoreError(
      'NotFinished',
      'unavailable',
      `${operation} of volume ${volume} has not ended within ${seconds} s; ${state}`,
      `it goes on by itself; wait for it: blockstore volume wait ${volume}`,
    ),
  notReached: (volume: string, wanted: string, seconds: number, status: string) =>
    new BlockstoreError(
      'NotReached',
      'unavailable',
      `volume ${volume} has not become ${wanted} within ${seconds} s; it is ${status}`,
      `see what it is doing: blockstore volume show ${volume}`,
    ),
  interrupted: (operation: string, volume: string) =>
    new BlockstoreError(
      'Interrupted',
      'unavailable',
      `no longer waiting for the ${operation} of volume ${volume}`,
      `it goes on by itself; wait for it: blockstore volume wait ${volume}`,
    ),
  usage: (message: string, command: string) =>
    new BlockstoreError('InvalidArgument', 'invalid', message, `see "${command} --help"`),
  redisUnreachable: (where: string, reason: string) =>
    new BlockstoreError(
      'RedisUnreachable',
      'unavailable',
      `Redis at ${where} cannot be reached: ${reason}`,
      'start it, or set redis_host, redis_port or redis_url; no change is accepted until then, exports go on',
    ),
  changeLost: (volume: string, operation: string, state: string) =>
    new BlockstoreError(
      'ChangeLost',
      'unavailable',
      `volume ${volume} is ${state}: Redis lost the ${operation}, or somebody changed the volume since`,
      `look at it, then ask again: blockstore volume show ${volume}`,
    ),
  redisRefuses: (where: string, reason: string) =>
    new BlockstoreError(
      'RedisRefuses',
      'unavailable',
      `Redis at ${where} accepts no change: ${reason}`,
      'give it memory, disk or replicas, as it says; what was begun goes on by itself then',
    ),
  notReplicated: (replicas: number, wanted: number) =>
    new BlockstoreError(
      'NotReplicated',
      'unavailable',
      `the change was made, but ${replicas} of the wanted ${wanted} replicas of Redis have it (redis_min_replicas)`,
      'bring the replicas back; until they have it, a failover may lose this change',
    ),
  redisDenied: (where: string, reason: string) =>
    new BlockstoreError(
      'RedisDenied',
      'denied',
      `Redis at ${where} refused the user or password: ${reason}`,
      'set redis_user and redis_password',
    ),
  noVolumeGroup: (group: string) =>
    new BlockstoreError(
      'NoVolumeGroup',
      'failed',
      `volume group ${group} does not exist`,
      'make it with vgcreate, or set storage_dev and storage_create=true and start again',
    ),
  storageMissing: (volume: string, what: string) =>
    new BlockstoreError(
      'StorageMissing',
      'failed',
      `volume ${volume} has a record but no storage: ${what} does not exist`,
      `bring the storage back and restart the daemon, or delete the record: blockstore volume delete ${volume}`,
    ),
  storageKept: (volume: string) =>
    new BlockstoreError(
      'StorageKept',
      'failed',
      `volume ${volume} could not be made on storage that was there before; it is left alone, for it may hold data`,
      'mend what "blockstore doctor" shows, then: blockstore audit --repair',
    ),
  groupIncomplete: (group: string, reason: string) =>
    new BlockstoreError(
      'GroupIncomplete',
      'failed',
      `volume group ${group} lacks a disk: ${reason}`,
      'bring the disk back, or add it to storage_dev, and restart the daemon; "vgs" and "pvs" show what is missing',
    ),
  groupAmbiguous: (group: string, devices: readonly string[]) =>
    new BlockstoreError(
      'GroupAmbiguous',
      'conflict',
      `more than one volume group is named ${group}: on ${devices.join(', ')}`,
      'list the devices of the right one in storage_dev',
    ),
  groupFull: (group: string) =>
    new BlockstoreError(
      'GroupFull',
      'exhausted',
      `the metadata area of volume group ${group} has no room for another volume`,
      'make groups with "vgcreate --metadatasize 64m", as storage_create=true does; delete volumes, or add a node',
    ),
  storageUnusable: (device: string, reason: string) =>
    new BlockstoreError(
      'StorageUnusable',
      'failed',
      `${device} cannot become part of the volume group: ${reason}`,
      `set storage_dev to an empty disk; if nothing on this one is needed: wipefs --all ${device}`,
    ),
  lvmFailed: (command: string, reason: string) =>
    new BlockstoreError('LvmFailed', 'failed', `"${command}" failed: ${reason}`, seeDoctor),
  answerUnreadable: (command: string, answer: string) =>
    new BlockstoreError(
      'AnswerUnreadable',
      'failed',
      `"${command}" gave an answer that cannot be read: ${JSON.stringify(answer.slice(0, 200))}`,
      seeDoctor,
    ),
  lvmInterrupted: (command: string, reason: string) =>
    new BlockstoreError('LvmInterrupted', 'unavailable', `"${command}" gave no answer: ${reason}`, seeDoctor),
  interfaceDown: (name: string, state: string) =>
    new BlockstoreError(
      'InterfaceDown',
      'failed',
      `network interface ${name} ${state}`,
      `bring it up (ip link set ${name} up) or set aoe_eth_dev`,
    ),
  noRawSocket: (name: string) =>
    new BlockstoreError(
      'NoRawSocket',
      'denied',
      `vblade may not open a raw socket on ${name}`,
      'run the daemon as root, or give vblade CAP_NET_RAW: setcap cap_net_raw+ep "$(command -v vblade)"',
    ),
  commandMissing: (command: string, debianPackage: string) =>
    new BlockstoreError(
      'CommandNotFound',
      'failed',
      `the command ${command} is not installed`,
      `install it: apt-get install ${debianPackage}`,
    ),
  exportFailed: (volume: string, reason: string) =>
    new BlockstoreError('ExportFailed', 'failed', `volume ${volume} could not be exported: ${reason}`, seeDoctor),
  launcherEnded: (reason: string) =>
    new BlockstoreError(
      'LauncherEnded',
      'failed',
      `the process that starts vblade has ended: ${reason}`,
      'another one is started at the next try',
    ),
  exportStays: (volume: string, pid: number) =>
    new BlockstoreError(
      'ExportStays',
      'failed',
      `the export of volume ${volume} could not be ended: vblade, process ${pid}, does not die`,
      `its storage hangs perhaps: see "dmesg" on that node, then delete again: blockstore volume delete ${volume}`,
    ),
  deviceInUse: (device: string, users: readonly string[]) =>
    new BlockstoreError(
      'DeviceInUse',
      'conflict',
      `${device} is in use on this host: ${users.join(', ')}`,
      'end that use (umount, or detach it from its instance), then disconnect again',
    ),
  domainFailed: (domain: string, reason: string, hint: string) =>
    new BlockstoreError('DomainFailed', 'failed', `libvirt domain ${domain}: ${reason}`, hint),
  deviceElsewhere: (volume: string, host: string) =>
    new BlockstoreError(
      'DeviceElsewhere',
      'conflict',
      `volume ${volume} is a block device of host ${host}`,
      `detach it there, where it is seen whether it is still mounted; if that host is gone: blockstore volume detach ${volume} --force`,
    ),
  attachmentStays: (volume: string, reason: string, why: string) =>
    new BlockstoreError(
      'AttachmentStays',
      'failed',
      `volume ${volume} did not become a device of this host: ${reason}; and it could not be detached again: ${why}`,
      `detach it: blockstore volume detach ${volume}`,
    ),
  connectorFailed: (volume: string, reason: string, hint: string) =>
    new BlockstoreError('ConnectorFailed', 'failed', `volume ${volume} did not appear on this host: ${reason}`, hint),
};

function gib(bytes: number): number {
  return Math.round((bytes / 2 ** 30) * 100) / 100;
}
