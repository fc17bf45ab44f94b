import { BlockstoreError } from './blockstore-error.ts';

const seeBackups = 'list the backups: blockstore backup list';

/** Errors of backups. */
export const backupErrors = {
  backupNotFound: (backup: string, directory: string) =>
    new BlockstoreError(
      'BackupNotFound',
      'notFound',
      `backup ${backup} does not exist in ${directory}`,
      `${seeBackups}; every node needs the same backup_directory or backup_s3_url`,
    ),
  backupAmbiguous: (name: string, directory: string, matches: readonly string[]) =>
    new BlockstoreError(
      'BackupAmbiguous',
      'invalid',
      `${name} matches more than one backup in ${directory}, such as ${matches.join(', ')}`,
      'give the full id',
    ),
  backupStoreUnavailable: (place: string, reason: string) =>
    new BlockstoreError(
      'BackupStoreUnavailable',
      'unavailable',
      `the backups in ${place} cannot be reached: ${reason}`,
      'see that it runs, that backup_s3_url is its address with an existing bucket, and that the keys of backup_s3_key_file may use it',
    ),
  backupExists: (backup: string) =>
    new BlockstoreError(
      'BackupExists',
      'conflict',
      `backup ${backup} exists already`,
      'omit the id, or give another one',
    ),
  backupNotReady: (backup: string) =>
    new BlockstoreError(
      'BackupNotReady',
      'conflict',
      `backup ${backup} has not all of its data`,
      'wait until it is available, or delete it if it was interrupted: blockstore backup delete',
    ),
  backupKeyDiffers: (backup: string, volume: string) =>
    new BlockstoreError(
      'EncryptionDiffers',
      'conflict',
      `the data of backup ${backup} are encrypted with another key than volume ${volume} has`,
      'make a new volume of the backup: it has its key',
    ),
  backupOfAttached: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance}: a backup of it would have what is on the storage at several moments`,
      'detach it; or have it as it is at one moment, by a snapshot: --force, or --snapshot for one that is there',
    ),
  backupNeeded: (backup: string, by: readonly string[]) =>
    new BlockstoreError(
      'BackupNeeded',
      'conflict',
      `backup ${backup} has data of later ones: ${by.join(', ')}`,
      'delete these first',
    ),
  storageUnfinished: (volume: string, source: string) =>
    new BlockstoreError(
      'StorageUnfinished',
      'conflict',
      `volume ${volume} has the data of ${source} in part, which Redis has lost`,
      'detach it if it is attached; then, to complete it: blockstore audit --repair',
    ),
  backupDamaged: (backup: string, what: string) =>
    new BlockstoreError(
      'BackupDamaged',
      'failed',
      `backup ${backup} cannot be used: ${what}`,
      'restore the files of backup_directory or the objects of backup_s3_url, or use another backup',
    ),
};
