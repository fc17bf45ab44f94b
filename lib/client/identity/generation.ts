import { randomBytes } from 'node:crypto';

/** Returns a generation of tokens: with a new one those before are not valid any more. */
export function newGeneration(): string {
  return randomBytes(8).toString('hex');
}
