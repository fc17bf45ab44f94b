/** Parts of the documents that several calls have. */
import { z } from 'zod';
import { versionText } from './microversion.ts';

/** What answers have since version 3.x. */
export function since<T extends z.ZodType>(minor: number, schema: T) {
  return schema.optional().meta({ 'x-openstack': { 'min-ver': versionText(minor) } });
}

/** A time in answers: see views/time.ts. */
export const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}$/);
export const links = z.array(z.strictObject({ rel: z.enum(['self', 'bookmark']), href: z.string() }));

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
const sizeRule = 'must be a whole number of GiB from 1 to 1000';
/** Also as text, as some clients send it. */
export const size = z.union(
  [
    z.int(sizeRule).min(1, 'must be at least 1 GiB'),
    z
      .string()
      .regex(/^0*[1-9]\d{0,8}$/)
      .transform(Number),
  ],
  sizeRule,
);
const yes = ['true', 'True', 'TRUE', '1', 'on', 'On', 'ON', 'yes', 'Yes', 'YES', 'y', 't'] as const;
const no = ['false', 'False', 'FALSE', '0', 'off', 'Off', 'OFF', 'no', 'No', 'NO', 'n', 'f'] as const;
/** Also as text, as some clients send it. */
export const yesOrNo = z.union(
  [z.boolean(), z.enum(yes).transform(() => true), z.enum(no).transform(() => false)],
  'must be true or false',
);
/** Of volume types. */
export const extraSpecs = z.record(
  z.string().regex(/^[\w:. -]{1,255}$/, 'keys must have letters, digits and _ : . - alone'),
  z.string('values must be text').max(255, 'values must have at most 255 characters'),
);
