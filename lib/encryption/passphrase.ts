import { createHmac } from 'node:crypto';
import { errors } from '../errors.ts';
import { readNamedBytes } from '../named-file.ts';

/** Shorter ones can be guessed. */
const minBytes = 32;

/** Returns the key of the cluster that a file has, or why it has none. */
export function readClusterKey(file: string): { key: Buffer } | { problem: string } {
  if (file === '') return { problem: 'encryption_key_file is not set' };
  const found = readNamedBytes(file);
  if ('problem' in found) return { problem: `${file} cannot be read: ${found.problem}` };
  const { length } = found.bytes;
  return length < minBytes ? { problem: `${file} has ${length} bytes, fewer than ${minBytes}` } : { key: found.bytes };
}

/**
 * Returns the passphrase of a volume: derived from the key of the cluster, in that file, and the id of the volume's own key. So no key is in
 * Redis or on the storage, and nothing has to be stored for a volume. Throws EncryptionKeyMissing.
 */
export function passphraseOf(file: string, volume: string, keyId: string): string {
  const found = readClusterKey(file);
  if ('problem' in found) throw errors.noEncryptionKey(volume, found.problem);
  return createHmac('sha256', found.key).update(keyId).digest('hex');
}
