import { readFile } from 'node:fs/promises';
import { asError, errors } from '../errors.ts';
import type { Flags } from '../flags/definitions.ts';
import { BackupDirectory } from './directory.ts';
import { S3Backups } from './s3.ts';
import { S3Bucket } from './s3-bucket.ts';
import type { BackupStore } from './store.ts';

type BackupFlags = Pick<Flags, 'backup_s3_url' | 'backup_s3_region' | 'backup_s3_key_file' | 'backup_directory'>;

export function openBackupStore({
  backup_s3_url: url,
  backup_s3_region: region,
  backup_s3_key_file: file,
  backup_directory: directory,
}: BackupFlags): BackupStore {
  if (url === '') return new BackupDirectory(directory);
  return new S3Backups(new S3Bucket({ url, region, credentials: () => readKeys(url, file) }));
}

async function readKeys(url: string, file: string): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  if (file === '') throw errors.backupStoreUnavailable(url, 'backup_s3_key_file is not given');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw errors.backupStoreUnavailable(url, `backup_s3_key_file: ${asError(error).message}`);
  });
  const [accessKeyId = '', secretAccessKey = '', ...more] = text.split(/\s+/).filter(Boolean);
  if (secretAccessKey === '' || more.length > 0) {
    throw errors.backupStoreUnavailable(
      url,
      `backup_s3_key_file: ${file} has not an access key and a secret key alone`,
    );
  }
  return { accessKeyId, secretAccessKey };
}
