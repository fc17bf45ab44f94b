/** Parts of the documents that several calls have. */
import { z } from 'zod';

/** Clients write "not given" as null, as an empty text, or leave the key out. */
export function optional<T extends z.ZodType>(schema: T) {
  return z
    .union([z.literal('').transform(() => undefined), schema.nullish().transform((value) => value ?? undefined)])
    .optional();
}

export const id = z.uuid('must be a UUID').transform((text) => text.toLowerCase());
/** null and '': none. */
export const name = z.string().max(255, 'must have at most 255 characters').nullish();
export const description = z.string().max(255, 'must have at most 255 characters').nullish();
export const metadata = z.record(
  z.string().min(1, 'keys must not be empty').max(255, 'keys must have at most 255 characters'),
  z.string('values must be text').max(255, 'values must have at most 255 characters'),
);
/** Also as text, as some clients send it. */
export const size = z
  .union(
    [
      z.int(),
      z
        .string()
        .regex(/^\d{1,9}$/)
        .transform(Number),
    ],
    'must be a whole number of GiB',
  )
  .refine((value) => value >= 1, 'must be at least 1 GiB');
/** Also as text, as some clients send it. */
export const yesOrNo = z.union(
  [
    z.boolean(),
    z.enum(['true', 'True', 'false', 'False', '1', '0']).transform((text) => ['true', 'True', '1'].includes(text)),
  ],
  'must be true or false',
);
