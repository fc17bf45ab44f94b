import { z } from 'zod';

const json = z.json();
/** A document of JSON, or a part of it. */
export type Json = z.output<typeof json>;
export type JsonObject = Record<string, Json>;

const objectForm = z.record(z.string(), json);
const described = z.looseObject({ $defs: objectForm.default({}), $schema: z.unknown(), example: json.optional() });

export const anyObject: JsonObject = { type: 'object' };

/** Matches nothing: the form of what cannot be in a document, such as `undefined`. */
const never = JSON.stringify({ not: {} });

/**
 * Schemas of the calls as schemas of JSON. Those with an id, given by `.meta({ id })`, are kept once and referred to; of a
 * body `.meta({ example })` is shown.
 */
export class JsonSchemas {
  readonly named = new Map<string, Json>();

  /** `io`: input of what clients send, output of answers. */
  of(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
    const made = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override({ zodSchema, jsonSchema }) {
        if (zodSchema instanceof z.ZodUndefined) jsonSchema.not = {};
      },
    });
    // Those of schemas that transform what clients send would be left out under their own name.
    const { $defs, $schema: _, example, ...own } = described.parse(made);
    for (const [id, definition] of Object.entries($defs)) this.named.set(id, tidied(definition));
    const examples = example === undefined ? {} : { examples: [example] };
    return { ...objectForm.parse(tidied(json.parse(own))), ...examples };
  }
}

/** Returns a schema that means the same, as a person would write it. */
function tidied(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(tidied);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema)
    .filter(([key, value]) => !isSelfEvident(key, value))
    .map(([key, value]): [string, Json] => [key, typeof value === 'string' ? placeOf(value) : tidied(value)]);
  const { anyOf, ...rest } = Object.fromEntries(entries);
  if (!Array.isArray(anyOf)) return Object.fromEntries(entries);
  const choices = new Map(anyOf.flatMap(choicesOf).map((choice) => [JSON.stringify(choice), choice]));
  choices.delete(never);
  const [first, ...others] = choices.values();
  if (others.length > 0) return { ...rest, anyOf: [...choices.values()] };
  const only = objectForm.safeParse(first ?? {});
  return { ...only.data, ...rest };
}

/** The limits of numbers in JavaScript. */
function isSelfEvident(key: string, value: Json): boolean {
  return (key === 'minimum' || key === 'maximum') && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER;
}

function choicesOf(choice: Json): Json[] {
  const { anyOf, ...rest } = objectForm.safeParse(choice).data ?? {};
  return Array.isArray(anyOf) && Object.keys(rest).length === 0 ? anyOf : [choice];
}

/** A reference to a schema of the document. */
function placeOf(text: string): string {
  return text.replace(/^#\/\$defs\//, '#/components/schemas/');
}
