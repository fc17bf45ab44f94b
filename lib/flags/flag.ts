import { z } from 'zod';

/** One flag: the shape of its value, its default, its unit and its meaning. Values arrive as text. */
export interface Definition<T> {
  schema: z.ZodType<T>;
  initial: () => T;
  unit: string;
  meaning: string;
  /** Never printed or logged. */
  secret: boolean;
  /** One value for the node: not allowed in the section of a backend. Flags of drivers and targets only. */
  nodeWide: boolean;
}

export type Definitions = Readonly<Record<string, Definition<unknown>>>;
export type ValuesOf<D extends Definitions> = { [Name in keyof D]: z.infer<D[Name]['schema']> };

type Extra = Partial<Pick<Definition<unknown>, 'unit' | 'secret' | 'nodeWide'>>;

export function flag<T>(
  schema: z.ZodType<T>,
  initial: NoInfer<T> | (() => NoInfer<T>),
  meaning: string,
  extra: Extra = {},
): Definition<T> {
  return {
    schema,
    initial: () => (initial instanceof Function ? initial() : initial),
    unit: extra.unit ?? '',
    meaning,
    secret: extra.secret ?? false,
    nodeWide: extra.nodeWide ?? false,
  };
}

export const text = z.string('must be text');
export const absolutePath = text.regex(/^\//, 'must be an absolute path');

export function whole(least: number, most: number) {
  const rule = `must be a whole number from ${least} to ${most}`;
  return numeric(rule).pipe(z.int(rule).min(least, rule).max(most, rule));
}

/** With a decimal fraction, such as 1.5. */
export function decimal(least: number, most: number) {
  const rule = `must be a number from ${least} to ${most}`;
  return numeric(rule).pipe(z.number().min(least, rule).max(most, rule));
}

/** Text that is a plain decimal number: an empty value is not taken for 0. */
function numeric(rule: string) {
  return z
    .string()
    .regex(/^-?\d+(\.\d+)?$/, rule)
    .transform(Number);
}

/** -1 stands for "not set": a flag always has a value that can be printed and written to a file. */
export const optionalWhole = (most: number) => whole(-1, most);

export const yesNo = z.union(
  [
    z.literal(['true', 'yes', 'on', '1']).transform(() => true),
    z.literal(['false', 'no', 'off', '0']).transform(() => false),
  ],
  'must be true or false',
);

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** Text that the function can parse. Its errors say what is wrong without showing the text, which may be a secret. */
export function parsedBy(parse: (value: string) => unknown) {
  return text.superRefine((value, context) => {
    try {
      parse(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    }
  });
}

/** A list whose items must all be right. */
export function listOf(isRight: (item: string) => boolean, rule: string) {
  return list.refine((items) => items.every(isRight), rule);
}

export function oneOf<const T extends readonly string[]>(...values: T) {
  return z.enum(values, `must be one of ${values.join(', ')}`);
}
