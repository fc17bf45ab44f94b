/**
 * The catalogue of errors. A function of `errors` makes each error that a user can see: a stable `code`, a `kind` that
 * the edges (command line, later HTTP) map to their own status, a message that names the object, and a hint in the
 * imperative. `toFault()` returns the form that is stored and sent between nodes; `fromFault()` is its reverse.
 */

import type { CapabilityName } from './drivers/capabilities.ts';
import { BlockstoreError } from './blockstore-error.ts';
import { timeLimit } from './format-text.ts';
import { apiErrors } from './api-errors.ts';
import { argumentErrors } from './argument-errors.ts';
import { attachmentErrors } from './attachment-errors.ts';
import { backupErrors } from './backup-errors.ts';
import { clusterErrors } from './cluster-errors.ts';
import { encryptionErrors } from './encryption-errors.ts';
import { exportErrors } from './export-errors.ts';
import { groupErrors } from './group-errors.ts';
import { groupSnapshotErrors } from './group-snapshot-errors.ts';
import { hostErrors } from './host-errors.ts';
import { identityErrors } from './identity-errors.ts';
import { imageErrors } from './image-errors.ts';
import { iscsiErrors } from './iscsi-errors.ts';
import { lvmErrors } from './lvm-errors.ts';
import { lvmThinErrors } from './lvm-thin-errors.ts';
import { migrationErrors } from './migration-errors.ts';
import { monitoringErrors } from './monitoring-errors.ts';
import { nvmeErrors } from './nvme-errors.ts';
import { rbdErrors } from './rbd-errors.ts';
import { redisErrors } from './redis-errors.ts';
import { sanErrors } from './san-errors.ts';
import { sheepdogErrors } from './sheepdog-errors.ts';
import { snapshotErrors } from './snapshot-errors.ts';
import { quotaErrors } from './quota-errors.ts';
import { transferErrors } from './transfer-errors.ts';
import { typeErrors } from './type-errors.ts';
import { maxSize, sizeText } from './volume-size.ts';

export { BlockstoreError, type ErrorKind, type Fault, asError, fromFault } from './blockstore-error.ts';

const seeVolumes = 'list the volumes: blockstore volume list';
const seeDoctor = 'run "blockstore doctor" on the node';
export const errors = {
  ...apiErrors,
  ...argumentErrors,
  ...attachmentErrors,
  ...backupErrors,
  ...clusterErrors,
  ...encryptionErrors,
  ...exportErrors,
  ...groupErrors,
  ...groupSnapshotErrors,
  ...hostErrors,
  ...identityErrors,
  ...imageErrors,
  ...iscsiErrors,
  ...sheepdogErrors,
  ...snapshotErrors,
  ...quotaErrors,
  ...transferErrors,
  ...typeErrors,
  ...lvmErrors,
  ...lvmThinErrors,
  ...migrationErrors,
  ...monitoringErrors,
  ...nvmeErrors,
  ...rbdErrors,
  ...redisErrors,
  ...sanErrors,
  invalidFlags: (problems: readonly string[]) =>
    new BlockstoreError('InvalidFlags', 'invalid', problems.join('\n'), 'see "blockstored --help"'),
  invalidSize: (size: unknown) =>
    new BlockstoreError(
      'InvalidSize',
      'invalid',
      `size ${JSON.stringify(size)} is not a whole number of GiB from 0 to ${maxSize}`,
      'give whole GiB; 0 makes a volume of 100 MiB for tests',
    ),
  sizeNotLarger: (volume: string, size: number, newSize: number) =>
    new BlockstoreError(
      'SizeNotLarger',
      'invalid',
      `volume ${volume} has ${sizeText(size)}; it cannot be extended to ${sizeText(newSize)}`,
      'a volume only grows: make a smaller one and copy the data',
    ),
  sizeChanged: (volume: string, size: number) =>
    new BlockstoreError(
      'SizeChanged',
      'conflict',
      `volume ${volume} was extended by another request meanwhile, to ${size} GiB`,
      'repeat the command if it is to be larger',
    ),
  notCapable: (volume: string, driver: string, capability: CapabilityName) =>
    new BlockstoreError(
      'NotCapable',
      'invalid',
      `volume ${volume} is on a backend with the driver ${driver}, which does not have the capability "${capability}"`,
      'use a volume on another backend: "blockstore node show" lists what each can do',
    ),
  volumeNotFound: (volume: string) =>
    new BlockstoreError('VolumeNotFound', 'notFound', `volume ${volume} does not exist`, seeVolumes),
  volumeAmbiguous: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'VolumeAmbiguous',
      'invalid',
      `${reference} matches more than one volume: ${matches.join(', ')}`,
      'give the full id',
    ),
  volumeNotNamed: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'VolumeNotNamed',
      'notFound',
      `no volume is named ${reference}; it is the beginning of ${matches.join(', ')}`,
      'give the full id or the exact name: what cannot be undone is not done by the beginning of an id',
    ),
  volumeExists: (volume: string, difference = '') =>
    new BlockstoreError(
      'VolumeExists',
      'conflict',
      `volume ${volume} already exists${difference === '' ? '' : `: ${difference}`}`,
      seeVolumes,
    ),
  otherStorage: (volume: string, label: string, found: string, expected: string) =>
    new BlockstoreError(
      'VolumeExists',
      'conflict',
      `the storage volume-${volume} exists already: its ${label} is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`,
      'use another id; to have the record of that storage made again: blockstore audit --repair',
    ),
  laterStorage: (volume: string) =>
    new BlockstoreError(
      'VolumeExists',
      'conflict',
      `volume ${volume} was created anew after this delete, which an older state of Redis has again`,
      'its record is made again from its storage; then repeat the command if that volume is to be deleted too',
    ),
  volumeAbandoned: (volume: string, node: string) =>
    new BlockstoreError(
      'VolumeExists',
      'conflict',
      `volume ${volume} was deleted while its node ${node} was lost, and is still to be deleted there`,
      `use another id; this one is free again once node ${node} has returned and has removed the storage`,
    ),
  volumeAttached: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance}`,
      `detach it first: blockstore volume detach ${volume}`,
    ),
  volumeReadOnly: (volume: string) =>
    new BlockstoreError(
      'VolumeReadOnly',
      'conflict',
      `volume ${volume} is read-only: nobody may write to it`,
      `attach it with --mode ro, or permit writing: blockstore volume update ${volume} --no-read-only`,
    ),
  volumeNotAttached: (volume: string) =>
    new BlockstoreError('VolumeNotAttached', 'conflict', `volume ${volume} is not attached`, seeVolumes),
  attachmentEnded: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeNotAttached',
      'conflict',
      `the attachment of volume ${volume} has ended; the volume is attached to ${instance} now`,
      `see who uses it before you detach it: blockstore volume show ${volume}`,
    ),
  volumeBusy: (volume: string, by: string) =>
    new BlockstoreError(
      'VolumeBusy',
      'conflict',
      `volume ${volume} is in use on its node: ${by}`,
      `end these uses, then retry: blockstore volume delete ${volume}`,
    ),
  wrongStatus: (volume: string, status: string, required: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is ${status}; the operation requires ${required}`,
      `wait until the current operation ends: blockstore volume wait ${volume}`,
    ),
  counterChanged: (backend: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `the allocated bytes of backend ${backend} changed during the repair`,
      'repeat "blockstore audit --repair"',
    ),
  notLocal: (volume: string, owner: string, node: string) =>
    new BlockstoreError(
      'NotLocal',
      'conflict',
      `volume ${volume} belongs to node ${owner}, not to this node (${node})`,
      `send the command to its owner: blockstore volume delete ${volume}`,
    ),
  noMoreVolumes: (where: string, why = '') =>
    new BlockstoreError(
      'NoMoreVolumes',
      'exhausted',
      `${where} has no free address for another volume${why}`,
      'delete volumes, raise last_shelf_id or slots_per_shelf, or add a node',
    ),
  noSpace: (where: string, requestedBytes: number, freeBytes: number) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `${where} has ${gib(freeBytes)} GiB free; the request needs ${gib(requestedBytes)} GiB`,
      'delete volumes, add a disk to the pool, or add a node',
    ),
  poolFull: (directory: string, reason: string) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `the file system of ${directory} takes no more files, or none of that size: ${reason}`,
      'see its inodes (df -i), quotas (quota -v) and largest size of a file, or add a node',
    ),
  noNode: (name: string) =>
    new BlockstoreError(
      'NodeNotFound',
      'notFound',
      `node ${name} does not exist`,
      'list the nodes: blockstore node list',
    ),
  noNodeUp: () =>
    new BlockstoreError(
      'NoNodeUp',
      'unavailable',
      'no storage node is up',
      'start blockstored on a node; to see the known nodes: blockstore node list',
    ),
  nodeDown: (name: string) =>
    new BlockstoreError(
      'NodeDown',
      'unavailable',
      `node ${name} is down`,
      'start blockstored on it, or choose another node',
    ),
  nodeUp: (name: string) =>
    new BlockstoreError(
      'NodeUp',
      'conflict',
      `node ${name} is up: only a node whose lease has expired can be declared lost`,
      'stop its daemon, or power the machine off and wait for node_down_time',
    ),
  nodeToRemoveUp: (name: string) =>
    new BlockstoreError(
      'NodeUp',
      'conflict',
      `node ${name} is up: only a node whose daemon is stopped can be removed`,
      'delete its volumes, then stop its daemon',
    ),
  noAnswer: (node: string, limitMs: number) =>
    new BlockstoreError(
      'NoAnswer',
      'unavailable',
      `node ${node} has not answered within ${timeLimit(limitMs)}`,
      `check "blockstore node show ${node}" and the log of its daemon, or raise --timeout`,
    ),
  begunTooLate: (node: string) =>
    new BlockstoreError(
      'NoAnswer',
      'unavailable',
      `node ${node} did not begin the request before its deadline`,
      'repeat the command',
    ),
  nodeLost: (name: string) =>
    new BlockstoreError(
      'NodeLost',
      'unavailable',
      `the volume was on node ${name}, which was declared lost`,
      'start blockstored on that node to get the volume back; if the node is gone for good: blockstore volume delete',
    ),
  nodeNameTaken: (name: string, holder: string, seconds: number) =>
    new BlockstoreError(
      'NodeNameTaken',
      'conflict',
      `node name ${name} is leased to ${holder} for another ${seconds} s`,
      'stop that daemon, wait for its lease to expire, or set another storage_name here',
    ),
  fenced: (name: string) =>
    new BlockstoreError(
      'Fenced',
      'conflict',
      `this daemon lost the lease of node name ${name} to another daemon, or the node was declared lost; it makes no more changes`,
      'give each daemon its own storage_name, then start this one again; running exports continue',
    ),
  notFinished: (volume: string, operation: string, limitMs: number, state: string) =>
    new BlockstoreError(
      'NotFinished',
      'unavailable',
      `${operation} of volume ${volume} did not finish within ${timeLimit(limitMs)}; ${state}`,
      `it continues in the background; to wait: blockstore volume wait ${volume}`,
    ),
  notReached: (volume: string, expected: string, limitMs: number, status: string) =>
    new BlockstoreError(
      'NotReached',
      'unavailable',
      `volume ${volume} did not become ${expected} within ${timeLimit(limitMs)}; it is ${status}`,
      `check its status: blockstore volume show ${volume}`,
    ),
  interrupted: (operation: string, volume: string) =>
    new BlockstoreError(
      'Interrupted',
      'unavailable',
      `stopped waiting for the ${operation} of volume ${volume}`,
      `it continues in the background; to wait: blockstore volume wait ${volume}`,
    ),
  releaseInterrupted: (_operation: string, volume: string) =>
    new BlockstoreError(
      'Interrupted',
      'unavailable',
      `stopped waiting for this host to release volume ${volume}: the volume is still attached`,
      `repeat the command; a guest may release its disk meanwhile: blockstore volume detach ${volume}`,
    ),
  outputFailed: (reason: string) =>
    new BlockstoreError(
      'OutputFailed',
      'failed',
      `the output could not be written: ${reason}`,
      'see "df", or write elsewhere',
    ),
  changeLost: (volume: string, operation: string, state: string) =>
    new BlockstoreError(
      'ChangeLost',
      'unavailable',
      `volume ${volume} is ${state}: Redis lost the ${operation}, or another user changed the volume since`,
      `check the volume, then repeat the command: blockstore volume show ${volume}`,
    ),
  taskLost: (volume: string, operation: string) =>
    new BlockstoreError(
      'TaskLost',
      'conflict',
      `the record of volume ${volume} no longer asks for the ${operation}: Redis lost it, or another node took the volume over`,
      'repeat the command if it is still wanted',
    ),
  /** `relabel`: the command that labels storage of that name, which has no labels. */
  /** `whereabouts` names the command that undoes it. */
  storageMoved: (volume: string, whereabouts: string) =>
    new BlockstoreError(
      'StorageMissing',
      'failed',
      `volume ${volume} is not where its record says: ${whereabouts}`,
      'run the command that the message names on the node, then: blockstore audit --repair',
    ),
  storageMissing: (volume: string, storage: string, relabel?: string) =>
    relabel === undefined
      ? new BlockstoreError(
          'StorageMissing',
          'failed',
          `volume ${volume} has a record but no storage: ${storage} does not exist`,
          `restore the storage and restart the daemon, or delete the record: blockstore volume delete ${volume}`,
        )
      : new BlockstoreError(
          'StorageMissing',
          'failed',
          `volume ${volume} has a record but no storage with its label: ${storage} exists without it`,
          `if ${storage} is this volume, label it again: ${relabel}; then: blockstore audit --repair`,
        ),
  storageRecorded: (volume: string, node: string, status: string) =>
    new BlockstoreError(
      'StorageRecorded',
      'conflict',
      `volume ${volume} is recorded as ${status} on node ${node || '(none yet)'}: its storage here may be the only copy`,
      `delete the volume ("blockstore volume delete ${volume}"), or start node ${node} and see that it has the data`,
    ),
  storageKept: (volume: string) =>
    new BlockstoreError(
      'StorageKept',
      'failed',
      `could not create volume ${volume} on existing storage; the storage is kept because it can hold data`,
      'fix the problems that "blockstore doctor" reports on the node, then: blockstore audit --repair',
    ),
  notLabelled: (volume: string, path: string, rename: string) =>
    new BlockstoreError(
      'VolumeExists',
      'conflict',
      `volume ${volume} cannot be created: ${path} exists and is not labelled as a volume of blockstore`,
      `check whose it is; if it is in the way: ${rename}`,
    ),
  answerUnreadable: (command: string, output: string, hint = seeDoctor) =>
    new BlockstoreError(
      'AnswerUnreadable',
      'failed',
      `"${command}" printed unexpected output: ${JSON.stringify(output.slice(0, 200))}`,
      hint,
    ),
  commandMissing: (command: string, debianPackage: string) =>
    new BlockstoreError(
      'CommandNotFound',
      'failed',
      `the command ${command} is not installed`,
      `install it: apt-get install ${debianPackage}`,
    ),
};

function gib(bytes: number): number {
  return Math.round((bytes / 2 ** 30) * 100) / 100;
}
