import { BlockstoreError } from './blockstore-error.ts';

/** Errors of records, placement, backends and requests to nodes. */
export const clusterErrors = {
  recordUnreadable: (object: string, reason: string) =>
    new BlockstoreError(
      'RecordUnreadable',
      'failed',
      `the record of ${object} ${reason}`,
      'upgrade to the version that wrote it, or correct what was altered by hand; the record is not changed',
    ),
  /** `remedies`: against other reasons than a lack of space. */
  noFreeSpace: (
    node: string | undefined,
    requestedBytes: number,
    reasons: readonly string[],
    remedies: readonly string[] = [],
  ) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `${node === undefined ? 'no backend has space' : `${node} has no space`} for ${gib(requestedBytes)} GiB: ${reasons.join('; ') || 'it has no backend'}`,
      ['delete volumes, add a disk to a pool, or add a node', ...remedies].join('; '),
    ),
  noUsableBackend: (reasons: readonly string[], remedies: readonly string[]) =>
    new BlockstoreError(
      'NoUsableBackend',
      'unavailable',
      `no backend can take the volume: ${reasons.join('; ')}`,
      remedies.join('; '),
    ),
  requirementsNotMet: (reasons: readonly string[]) =>
    new BlockstoreError(
      'RequirementsNotMet',
      'invalid',
      `no backend is what the volume requires: ${reasons.join('; ')}`,
      'name another type or zone: "blockstore node show" lists what each backend is',
    ),
  noBackend: (place: string, backends: readonly string[]) =>
    new BlockstoreError(
      'BackendNotFound',
      'notFound',
      `${place} does not exist`,
      backends.length === 0 ? 'that node has no backend yet' : `the node has ${backends.join(', ')}`,
    ),
  noBackendAccepts: (reasons: readonly string[]) =>
    new BlockstoreError(
      'BackendUnavailable',
      'unavailable',
      `no backend takes volumes at present: ${reasons.join('; ')}`,
      'repeat the command in a minute: a node that has just started, or lost Redis, compares its records with its storage first',
    ),
  backendUnavailable: (backend: string, reason: string) =>
    new BlockstoreError(
      'BackendUnavailable',
      'unavailable',
      `backend ${backend} is not served: ${reason}`,
      'run "blockstore doctor" on the node; the daemon checks the backend again at every report',
    ),
  nodeHasVolumes: (node: string, volumes: number, isLost: boolean) =>
    new BlockstoreError(
      'NodeHasVolumes',
      'conflict',
      `node ${node} still has ${volumes} ${volumes === 1 ? 'volume' : 'volumes'}`,
      `delete them first: blockstore volume list --node ${node}${isLost ? '' : `; ${neverReturns(node)}`}`,
    ),
  nodeHasMigrations: (node: string) =>
    new BlockstoreError(
      'NodeHasVolumes',
      'conflict',
      `volumes are being migrated to node ${node}`,
      `wait until these migrations have failed, as the node is down; ${neverReturns(node)}`,
    ),
  nodeHasStorage: (node: string) =>
    new BlockstoreError(
      'NodeHasVolumes',
      'conflict',
      `node ${node} still has the storage of deleted volumes`,
      `start blockstored on it, which removes the storage; ${neverReturns(node)}`,
    ),
  addressesQuarantined: (node: string, seconds: number) =>
    new BlockstoreError(
      'AddressesQuarantined',
      'conflict',
      `addresses of node ${node} are in quarantine for another ${seconds} s: hosts may still have devices of deleted volumes`,
      'repeat the command after that time, which address_quarantine of that node has set',
    ),
  nodeLendsAddresses: (node: string, volumes: readonly string[]) =>
    new BlockstoreError(
      'AddressesLent',
      'conflict',
      `volumes that left node ${node} while they were attached have addresses of it still: ${volumes.join(', ')}`,
      'detach them; each gets an address of its present node when it is attached again; one whose node is lost: start that node, or delete the volume and remove that node',
    ),
  nodeBusy: (node: string, task: string) =>
    new BlockstoreError(
      'NodeBusy',
      'conflict',
      `node ${node} carries out another ${task}`,
      'repeat the command when it has ended',
    ),
  unknownStorage: (volume: string) =>
    new BlockstoreError(
      'UnknownStorage',
      'failed',
      `the storage volume-${volume} has no record, and its labels do not say whose it is`,
      'examine it; remove it by hand only if nobody needs it',
    ),
  foreignStorage: (volume: string, node: string, status: string) =>
    new BlockstoreError(
      'ForeignStorage',
      'conflict',
      `the storage volume-${volume} is here, but its record (${status}) is of node ${node}`,
      `it may be the only copy: keep it. If this machine was node ${node} before, set storage_name = ${node} and restart`,
    ),
  storageElsewhere: (volume: string, backend: string, recorded: string, status: string) =>
    new BlockstoreError(
      'ForeignStorage',
      'conflict',
      `the storage volume-${volume} is on backend ${backend}, but its record (${status}) is of backend ${recorded}`,
      `it may be the only copy: keep it. What the record says: blockstore volume show ${volume}`,
    ),
  deletedStorage: (volume: string, node: string) =>
    new BlockstoreError(
      'ForeignStorage',
      'conflict',
      `the storage volume-${volume} is here, but the volume was deleted while its node ${node} was lost`,
      `node ${node} removes it when it returns; if its disk was moved to this machine: blockstore audit --remove ${volume}`,
    ),
  addressChanged: (volume: string, before: string, address: string) =>
    new BlockstoreError(
      'AddressChanged',
      'conflict',
      `volume ${volume} was not attached: its address is now ${address}${before === '' ? '' : `, not ${before}`}`,
      'attach it again: the host first removes a device of an earlier volume at the new address',
    ),
  addressLost: (volume: string) =>
    new BlockstoreError(
      'AddressLost',
      'failed',
      `volume ${volume} is attached, and neither its record, nor its export, nor its storage has its address`,
      `detach it, and attach it again: blockstore volume detach ${volume}`,
    ),
  shelfOfOtherNode: (volume: string, address: string, owner: string) =>
    new BlockstoreError(
      'AddressInUse',
      'conflict',
      `volume ${volume} is not exported at ${address}: the shelf belongs to node ${owner}`,
      'detach the volume; it gets another address when it is attached again',
    ),
  storageOffline: (volume: string, reason: string) =>
    new BlockstoreError(
      'StorageOffline',
      'failed',
      `the storage of volume ${volume} cannot be used now: ${reason}`,
      'reconnect the disk; the daemon then serves the volume again',
    ),
};

function neverReturns(node: string): string {
  return `if the node never returns: blockstore node lost ${node}`;
}

function gib(bytes: number): number {
  return Math.round((bytes / 2 ** 30) * 100) / 100;
}
