import { z } from 'zod';
import type { Fault } from '../errors.ts';
import { UnreadableError } from './hash.ts';

const kinds = ['invalid', 'notFound', 'conflict', 'exhausted', 'unavailable', 'denied', 'failed'] as const;

/** A fault from Redis or another node; a kind that a newer version writes counts as `failed`. */
export const faultSchema = z
  .object({
    code: z.string(),
    kind: z.enum(kinds).catch('failed'),
    message: z.string(),
    hint: z.string().optional(),
    step: z.string().optional(),
    time: z.number().optional(),
  })
  .transform(
    ({ hint, step, time, ...rest }): Fault => ({
      ...rest,
      ...(hint === undefined ? {} : { hint }),
      ...(step === undefined ? {} : { step }),
      ...(time === undefined ? {} : { time }),
    }),
  );

/** Throws UnreadableError. */
export function parseFault(text: string): Fault {
  try {
    return faultSchema.parse(JSON.parse(text));
  } catch {
    throw new UnreadableError('has a fault that this version cannot read');
  }
}
