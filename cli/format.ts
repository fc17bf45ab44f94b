import stringWidth from 'string-width';
import { duration } from '../lib/format-text.ts';

export { duration, plural } from '../lib/format-text.ts';

/** Returns a volume's size as text. Sizes are whole GiB; 0 means 100 MiB. */
export function volumeSize(gib: number): string {
  return gib === 0 ? '100 MiB' : `${gib} GiB`;
}

export function volumeSizeBytes(gib: number): number {
  return gib === 0 ? 100 * 2 ** 20 : gib * 2 ** 30;
}

/** Returns a time in milliseconds since the epoch as ISO 8601 and as an age. */
export function timeAgo(time: number, now = Date.now()): string {
  return `${isoTime(time)} (${duration(now - time)} ago)`;
}

export function isoTime(time: number): string {
  return new Date(time).toISOString();
}

/** Returns the columns that the text takes on a terminal. */
export function displayWidth(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : stringWidth(text);
}

/** Returns the text, cut with an ellipsis where it takes more columns. */
export function cut(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let kept = '';
  for (const character of text) {
    if (displayWidth(kept + character) > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

/** What users note of an object, in one line. */
export function metadataText({ metadata }: { metadata: Readonly<Record<string, string>> }): string {
  return Object.entries(metadata)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}
