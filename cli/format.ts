import stringWidth from 'string-width';

/** Returns a volume's size as text. Sizes are whole GiB; 0 means 100 MiB. */
export function volumeSize(gib: number): string {
  return gib === 0 ? '100 MiB' : `${gib} GiB`;
}

export function volumeSizeBytes(gib: number): number {
  return gib === 0 ? 100 * 2 ** 20 : gib * 2 ** 30;
}

/** Returns milliseconds as "12 s", "5 min", "3 h" or "40 d", rounded down. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Returns a time in milliseconds since the epoch as ISO 8601 and as an age. */
export function timeAgo(time: number, now = Date.now()): string {
  return `${isoTime(time)} (${duration(now - time)} ago)`;
}

export function isoTime(time: number): string {
  return new Date(time).toISOString();
}

export function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
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
