import { z } from 'zod';

/** A record as Redis gives it. */
export type Hash = Readonly<Record<string, string>>;
/** Every record that is read passes it: a schema of the fields would take ten times as long, and copy them. */
export const hashSchema = z.custom<Hash>(isHash, 'is no hash');

function isHash(value: unknown): value is Hash {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => typeof each === 'string');
}

/** What a newer version may have written, or a hand: it is shown as `unreadable`, and left alone. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

/** Whether somebody or something may still act. Throws UnreadableError where the record does not say so: nobody is let in by a damaged one. */
export function isEnabledIn({ enabled }: Hash): boolean {
  if (enabled !== 'true' && enabled !== 'false') throw new UnreadableError('does not say whether it is enabled');
  return enabled === 'true';
}
