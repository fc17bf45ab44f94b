import { element } from './dom.js';

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/**
 * Returns bytes as "512 GiB" or "1.5 TiB", rounded down, as the command line does.
 * @param {number} bytes
 */
export function byteSize(bytes) {
  let power = 0;
  let value = bytes;
  for (; value >= 1024 && power < units.length - 1; power += 1) value /= 1024;
  return `${value < 10 && power > 0 ? Math.floor(value * 10) / 10 : Math.floor(value)} ${units[power]}`;
}

/**
 * Returns the size of a volume in GiB as text; 0 is 100 MiB.
 * @param {number} gib
 */
export function volumeSize(gib) {
  return gib === 0 ? '100 MiB' : `${gib} GiB`;
}

/**
 * Returns milliseconds as "12 s", "5 min", "3 h" or "40 d", rounded down.
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (ms > 0 && ms < 1000) return `${Math.round(ms)} ms`;
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/**
 * Returns the milliseconds since the epoch of a time of the API, which is in UTC.
 * @param {string} text
 */
export function milliseconds(text) {
  return Date.parse(`${text}Z`);
}

/** Such as 2026-11-29 08:15:30: the same for every reader, and short. */
const local = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' });

/**
 * Returns a time of the API as an element, in the time zone of the reader.
 * @param {string | null} text
 */
export function timeOf(text) {
  if (text === null) return '–';
  return element('time', { datetime: `${text}Z` }, local.format(milliseconds(text)));
}

/**
 * Returns how long ago a time of the API was.
 * @param {string | null} text
 */
export function ago(text) {
  return text === null ? 'never' : `${duration(Date.now() - milliseconds(text))} ago`;
}

/**
 * @param {number} count
 * @param {string} one
 */
export function plural(count, one) {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

/**
 * Returns a status with a colour; the words alone say it as well.
 * @param {string} status
 * @param {number | null} [progress] Percent.
 */
export function statusOf(status, progress = null) {
  const kind = kindOf(status);
  return element('span', { class: `status ${kind}` }, progress === null ? status : `${status} ${progress} %`);
}

/** @param {string} status */
function kindOf(status) {
  if (/^(error|lost|down|unreadable)/.test(status)) return 'bad';
  if (/ing(-|$)|^(maintenance|awaiting|stopped|reserved|closed)/.test(status)) return 'busy';
  return status === 'in-use' ? 'used' : 'good';
}
