import { BlockstoreError } from './blockstore-error.ts';

/** Errors of encrypted volumes; part of the catalogue in errors.ts. */
export const encryptionErrors = {
  noEncryptionKey: (volume: string, reason: string) =>
    new BlockstoreError(
      'EncryptionKeyMissing',
      'failed',
      `volume ${volume} is encrypted, and this host has no key: ${reason}`,
      'copy the file with the key of the cluster to this host (encryption_key_file), or give it: --key-file',
    ),
  wrongEncryptionKey: (volume: string, device: string) =>
    new BlockstoreError(
      'EncryptionKeyWrong',
      'failed',
      `the key of this host does not open volume ${volume} (${device})`,
      'use the file with the key that it was first attached with (encryption_key_file, --key-file)',
    ),
  notEncrypted: (volume: string, device: string) =>
    new BlockstoreError(
      'NotEncrypted',
      'failed',
      `volume ${volume} is to be encrypted, and ${device} has no LUKS header: it is not formatted, for it may have data`,
      'see what it has before anything else; where its header is damaged, restore that: cryptsetup luksHeaderRestore',
    ),
  encryptionFailed: (volume: string, what: string, reason: string) =>
    new BlockstoreError(
      'EncryptionFailed',
      'failed',
      `${what} of volume ${volume} failed: ${reason}`,
      'see "dmesg" of this host; its kernel needs dm-crypt (module dm_crypt)',
    ),
  encryptedVolume: (volume: string, what: string) =>
    new BlockstoreError(
      'VolumeEncrypted',
      'invalid',
      `volume ${volume} is encrypted, and ${what}`,
      'use a volume that is not encrypted',
    ),
};
