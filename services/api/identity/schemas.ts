/** Parts of the documents that several calls have. */
import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { domain } from './domain.ts';

/** null: none. */
export const text = z
  .string()
  .max(255, 'must have at most 255 characters')
  .nullish()
  .transform((value) => (value === null ? '' : value));
export const name = z.string().min(1).max(255);
export const id = z.string().max(64);
export const options = z.looseObject({}).optional();

/** Throws NotOffered. */
export function checkDomain(asked: string | null | undefined): void {
  if (asked === undefined || asked === null || asked === domain.id) return;
  throw errors.notOffered('there is one domain, default', 'leave the domain out');
}

/** Returns the changes that are given. */
export function given<T extends Record<string, unknown>>(
  values: T,
): { [Name in keyof T]?: Exclude<T[Name], undefined> };
export function given(values: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
