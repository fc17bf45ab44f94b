import { errors } from '../errors.ts';
import { isPrintable } from '../printable.ts';
import { checkText } from './check-text.ts';
import type { Hash } from './hash.ts';

/** As other managers of volumes have it. */
const maxMetadata = 128;
const maxValueBytes = 255;

/**
 * What keys and values are of: the record, or the image that a volume has its data from. Each is in a field of its own: two users that note
 * different ones do not interfere.
 */
type MetadataOf = 'meta' | 'image';

export function metadataIn(hash: Hash, of: MetadataOf = 'meta'): Record<string, string> {
  const prefix = `${of}:`;
  const fields = Object.keys(hash).filter((field) => field.startsWith(prefix));
  return Object.fromEntries(fields.map((field) => [field.slice(prefix.length), hash[field] ?? '']));
}

export function metadataField(key: string): string {
  return `meta:${key}`;
}

export function imageMetadataField(key: string): string {
  return `image:${key}`;
}

/** Returns the fields of a record that has these. */
export function metadataFields(
  metadata: Readonly<Record<string, string>>,
  fieldOf: (key: string) => string = metadataField,
): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [fieldOf(key), value]));
}

/** Throws InvalidArgument for a record that would have more than is allowed. */
export function refuseTooMany(keys: readonly string[]): void {
  if (keys.length <= maxMetadata) return;
  throw errors.invalidArgument('metadata', `${keys.length} keys`, `at most ${maxMetadata} keys`);
}

/** Throws InvalidArgument. */
export function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(metadata)) {
    checkText('metadata key', key);
    if (Buffer.byteLength(value) > maxValueBytes || !isPrintable(value)) {
      throw errors.invalidArgument(`metadata ${key}`, value, `at most ${maxValueBytes} bytes of printable characters`);
    }
  }
}
