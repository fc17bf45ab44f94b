/** Milliseconds since the epoch as the API writes a time: in UTC, without a zone, with microseconds. */
export function apiTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000`;
}
