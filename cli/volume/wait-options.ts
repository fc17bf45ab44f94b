import type { SendOptions } from '../../lib/client/volume-commands.ts';

/** Options of a command that changes a volume. `timeout` is in milliseconds. */
export interface ChangeOptions {
  wait?: boolean;
  timeout?: number;
}

export const defaultTimeoutMs = 60_000;

export function waitsForEnd({ wait = true }: ChangeOptions): boolean {
  return wait;
}

/** Returns options with a deadline to wait for the reply, or without one to return at once. */
export function sendOptions(options: ChangeOptions): SendOptions {
  return waitsForEnd(options) ? { deadlineMs: options.timeout ?? defaultTimeoutMs } : {};
}
