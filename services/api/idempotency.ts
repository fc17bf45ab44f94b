import { createHash, randomUUID } from 'node:crypto';
import { errors } from '../../lib/errors.ts';
import type { Context } from './call.ts';

const maxBytes = 255;

/**
 * Returns the id of the object that a request makes: with `Idempotency-Key` one that follows from caller, call and key, so that the
 * request has one effect however often it is sent. Throws InvalidRequest.
 */
export function idOfNew({ caller, key }: Pick<Context, 'caller' | 'key'>, call: string): string {
  if (key === undefined) return randomUUID();
  if (key === '' || Buffer.byteLength(key) > maxBytes) {
    throw errors.invalidRequest([`Idempotency-Key must have 1 to ${maxBytes} bytes`]);
  }
  const parts = JSON.stringify([call, caller.projectId, caller.userId, key]);
  const digits = createHash('sha256').update(parts).digest('hex');
  // The bits of a UUID of version 8, whose content is free.
  const variant = ((Number.parseInt(digits.slice(16, 17), 16) & 3) | 8).toString(16);
  const [a, b, c, d, e] = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(13, 16),
    digits.slice(17, 20),
    digits.slice(20, 32),
  ];
  return `${a}-${b}-8${c}-${variant}${d}-${e}`;
}
