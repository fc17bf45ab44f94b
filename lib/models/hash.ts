import { z } from 'zod';

/** A record as Redis gives it. */
export const hashSchema = z.record(z.string(), z.string()).readonly();
export type Hash = z.infer<typeof hashSchema>;

/** What a newer version may have written, or a hand: it is shown as `unreadable`, and left alone. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}
