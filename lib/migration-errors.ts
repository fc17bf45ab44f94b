import { BlockstoreError } from './blockstore-error.ts';

/** Errors of migrations of volumes to other backends. */
export const migrationErrors = {
  migrationLost: (migration: string) =>
    new BlockstoreError(
      'ChangeLost',
      'unavailable',
      `migration ${migration} has no record: Redis lost it`,
      'the volume stays where it is; repeat the command',
    ),
  migrationCancelled: (volume: string) =>
    new BlockstoreError(
      'MigrationCancelled',
      'conflict',
      `the migration of volume ${volume} was cancelled: it stays where it is`,
      'to migrate it again: blockstore volume migrate',
    ),
  notMigrating: (volume: string, status: string) =>
    new BlockstoreError(
      'NotMigrating',
      'conflict',
      `volume ${volume} is ${status}: it has no migration that could be cancelled`,
      `see where it is: blockstore volume show ${volume}`,
    ),
  migratesAlone: (volume: string) =>
    new BlockstoreError(
      'InvalidRequest',
      'invalid',
      `volume ${volume} is migrated with its id: no other volume takes its place`,
      'name the volume itself as new_volume',
    ),
  migrationNotCancellable: (volume: string) =>
    new BlockstoreError(
      'MigrationNotCancellable',
      'conflict',
      `all data of volume ${volume} are at the destination of its migration, which ends there`,
      `wait for that: blockstore volume wait ${volume}; then it can be migrated back`,
    ),
  /** `place`: `node@backend`. */
  migratesElsewhere: (volume: string, place: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is being migrated to ${place}`,
      `wait until that has ended: blockstore volume wait ${volume}`,
    ),
  isThereAlready: (volume: string, place: string) =>
    new BlockstoreError(
      'SamePlace',
      'invalid',
      `volume ${volume} is on ${place} already`,
      'name another node, or another backend of the same one: node@backend',
    ),
  servedByOthers: (volume: string, node: string) =>
    new BlockstoreError(
      'StorageShared',
      'conflict',
      `volume ${volume} is on storage that other nodes reach, which take it over when node ${node} stops: it need not move`,
      `to have it elsewhere all the same, name the backend: blockstore volume migrate ${volume} --to NODE@BACKEND`,
    ),
  migratedAttached: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance}, and its target or that of its type does not let it migrate so`,
      `detach it first: blockstore volume detach ${volume}; with AoE at both ends, attached volumes migrate`,
    ),
  detachedWhileMigrating: (volume: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is migrating: hosts are detached after that`,
      `wait: blockstore volume wait ${volume}; or end it: blockstore volume migrate ${volume} --cancel`,
    ),
  migratedWithSnapshots: (volume: string, snapshots: readonly string[]) =>
    new BlockstoreError(
      'VolumeHasSnapshots',
      'conflict',
      `volume ${volume} has snapshots, which are bound to its storage: ${snapshots.join(', ')}`,
      'delete them first; to keep their data, make volumes of them: blockstore volume create --snapshot',
    ),
  /** `place`: `node@backend`. */
  destinationSilent: (volume: string, place: string, seconds: number) =>
    new BlockstoreError(
      'NoAnswer',
      'unavailable',
      `volume ${volume} was not migrated: ${place} has not prepared for it within ${seconds} s`,
      'see whether its node is up, and the log of its daemon: blockstore node list',
    ),
  /** `place`: `node@backend`. */
  storageInTheWay: (volume: string, place: string) =>
    new BlockstoreError(
      'VolumeExists',
      'conflict',
      `${place} has storage of volume ${volume} already, which is not this migration's`,
      'examine it; to have it removed: blockstore audit --remove, once the volume is no longer needed',
    ),
  /** `place`: `node@backend`; `node`: one that is not up, and reaches the same storage. */
  storageKeptBy: (volume: string, place: string, node: string) =>
    new BlockstoreError(
      'VolumeExists',
      'conflict',
      `${place} has storage of an earlier migration of volume ${volume}, which node ${node} removes once it is up`,
      `start its daemon, name another backend, or remove a node that does not return: blockstore node remove ${node}`,
    ),
  migrationFailed: (volume: string, endpoint: string, reason: string) =>
    new BlockstoreError(
      'MigrationFailed',
      'failed',
      `the data of volume ${volume} could not be sent to ${endpoint}: ${reason}`,
      'the volume is as before; see that the nodes reach each other (migration_ip_address, migration_port), then repeat the command',
    ),
  notReceived: (volume: string, reason: string) =>
    new BlockstoreError(
      'MigrationFailed',
      'failed',
      `the data of volume ${volume} could not be written at the destination: ${reason}`,
      'the volume is as before; run "blockstore doctor" on the node of the destination',
    ),
  copyDiffers: (volume: string) =>
    new BlockstoreError(
      'MigrationFailed',
      'failed',
      `the copy of volume ${volume} has another checksum than the volume`,
      'the volume is as before; examine the disks and the memory of the destination',
    ),
  stallTooLong: (volume: string, seconds: number, limit: number) =>
    new BlockstoreError(
      'StallTooLong',
      'failed',
      `the hosts of volume ${volume} would wait ${Math.ceil(seconds)} s for its last data; migration_stall allows ${limit} s`,
      'the volume is as before; repeat the command when less is written to it, raise migration_stall, or detach the volume first',
    ),
  stillOpen: (volume: string, users: readonly string[]) =>
    new BlockstoreError(
      'VolumeBusy',
      'conflict',
      `volume ${volume} is in use on its node beside its export: ${users.join('; ')}`,
      `the volume is as before; end these uses, then retry: blockstore volume migrate ${volume}`,
    ),
  arrivalFailed: (volume: string, reason: string) =>
    new BlockstoreError(
      'ArrivalFailed',
      'failed',
      `volume ${volume} has been copied here, and could not be completed: ${reason}`,
      'fix what the message names, then: blockstore audit --repair; its former storage is kept until then',
    ),
  /** `place`: `node@backend`. */
  storageLeft: (volume: string, place: string) =>
    new BlockstoreError(
      'StorageMissing',
      'failed',
      `volume ${volume} was migrated to ${place}, which Redis has lost: the storage here is its former one`,
      `detach it, and it is there again: blockstore volume detach ${volume}`,
    ),
  listensNowhere: (address: string, reason: string) =>
    new BlockstoreError(
      'MigrationFailed',
      'failed',
      `migrations cannot be received at ${address}: ${reason}`,
      'set migration_ip_address to an address of this host, and migration_port to a port that is free',
    ),
};
