import type { Hash } from './hash.ts';

/** How the hosts encrypt volumes of a type, as it was asked for: LUKS with at least that. */
export interface TypeEncryption {
  provider: string;
  /** '' = that of LUKS here. */
  cipher: string;
  /** In bits; undefined = that of LUKS here. */
  keySize: number | undefined;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Encryption in the fields of a type; undefined where it has none. */
export function encryptionIn(hash: Hash): TypeEncryption | undefined {
  const { encryptionProvider: provider = '', encryptionCipher: cipher = '', encryptionTime = '' } = hash;
  if (provider === '') return undefined;
  const keySize = hash['encryptionKeySize'];
  return {
    provider,
    cipher,
    keySize: keySize === undefined ? undefined : Number(keySize),
    createTime: Number(encryptionTime) || 0,
  };
}

/** Returns the fields of a type with that encryption, besides its time; '' = absent. */
export function encryptionSet(
  encryption: Omit<TypeEncryption, 'createTime'> | undefined,
): Record<'encryptionProvider' | 'encryptionCipher' | 'encryptionKeySize', string> {
  return {
    encryptionProvider: encryption?.provider ?? '',
    encryptionCipher: encryption?.cipher ?? '',
    encryptionKeySize: String(encryption?.keySize ?? ''),
  };
}
