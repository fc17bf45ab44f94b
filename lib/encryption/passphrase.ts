import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { asError, errors } from '../errors.ts';

/** Shorter ones can be guessed. */
const minBytes = 32;

/**
 * Returns the passphrase of a volume: derived from the key of the cluster, in that file, and the id of the volume's own key. So no key is in
 * Redis or on the storage, and nothing has to be stored for a volume. Throws EncryptionKeyMissing.
 */
export async function passphraseOf(file: string, volume: string, keyId: string): Promise<string> {
  if (file === '') throw errors.noEncryptionKey(volume, 'encryption_key_file is not set');
  const secret = await readFile(file).catch((error: unknown) => {
    throw errors.noEncryptionKey(volume, asError(error).message);
  });
  if (secret.length < minBytes) {
    throw errors.noEncryptionKey(volume, `${file} has ${secret.length} bytes, fewer than ${minBytes}`);
  }
  return createHmac('sha256', secret).update(keyId).digest('hex');
}
