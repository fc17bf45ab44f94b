import { errors } from '../errors.ts';
import { isPrintable } from '../printable.ts';
import { checkText } from './check-text.ts';
import type { Hash } from './hash.ts';

/** Keys and values that users note of a record, each in a field of its own: two that note different ones do not interfere. */
const prefix = 'meta:';
/** As other managers of volumes have it. */
export const maxMetadata = 128;
const maxValueBytes = 255;

export function metadataIn(hash: Hash): Record<string, string> {
  const entries = Object.entries(hash).filter(([field]) => field.startsWith(prefix));
  return Object.fromEntries(entries.map(([field, value]) => [field.slice(prefix.length), value]));
}

export function metadataField(key: string): string {
  return prefix + key;
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
