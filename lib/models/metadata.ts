import { errors } from '../errors.ts';
import { isPrintable } from '../printable.ts';
import { checkText } from './check-text.ts';
import type { Hash } from './hash.ts';

/** Keys and values that users note of a record, each in a field of its own: two that note different ones do not interfere. */
const prefix = 'meta:';
/** As other managers of volumes have it. */
const maxMetadata = 128;
const maxValueBytes = 255;

export function metadataIn(hash: Hash): Record<string, string> {
  const entries = Object.entries(hash).filter(([field]) => field.startsWith(prefix));
  return Object.fromEntries(entries.map(([field, value]) => [field.slice(prefix.length), value]));
}

export function metadataField(key: string): string {
  return prefix + key;
}

/** Returns the fields of a record that has these. */
export function metadataFields(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [metadataField(key), value]));
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
