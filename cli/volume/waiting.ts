import type { Sending } from '../../lib/client/volume-commands.ts';

/** Options of a command that changes something. `timeout` in milliseconds. */
export interface Waiting {
  wait?: boolean;
  timeout?: number;
}

export const defaultTimeoutMs = 60_000;

export function isWaiting({ wait = true }: Waiting): boolean {
  return wait;
}

/** To wait is a call, not to wait is a cast. */
export function sendingOf(options: Waiting): Sending {
  return isWaiting(options) ? { deadlineMs: options.timeout ?? defaultTimeoutMs } : {};
}
