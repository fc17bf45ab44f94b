import { z } from 'zod';

const form = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A record's id where it enters from outside: Redis, a message, storage. */
export const idSchema = z.string().regex(form, 'must be a UUID');

export function isId(text: string): boolean {
  return form.test(text);
}
