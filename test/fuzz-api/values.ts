import * as fc from 'fast-check';
import { z } from 'zod';
import type { Json, JsonObject } from '../../services/api/openapi/json-schema.ts';
import type { Random } from '../simulation/random.ts';
import { hostileTexts, hostileValues } from './hostile.ts';

const objectForm = z.record(z.string(), z.json());
const schemaForm = z.looseObject({
  $ref: z.string().optional(),
  anyOf: z.array(objectForm).optional(),
  oneOf: z.array(objectForm).optional(),
  enum: z.array(z.json()).optional(),
  const: z.json().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  properties: z.record(z.string(), objectForm).default({}),
  required: z.array(z.string()).default([]),
  additionalProperties: z.union([z.boolean(), objectForm]).optional(),
  items: objectForm.default({}),
  pattern: z.string().optional(),
  format: z.string().optional(),
  minimum: z.number().default(-10),
  maximum: z.number().optional(),
  minLength: z.number().default(0),
  maxLength: z.number().default(300),
});

type Form = z.output<typeof schemaForm>;

export interface ValueSources {
  /** Returns an id of something that exists, perhaps. */
  someId: () => string;
  /** Returns the value of a text with that name, undefined where any will do. */
  named?: (name: string) => Json | undefined;
}

/** Deeper values are short. */
const maxDepth = 6;
const samplesOfPattern = 30;
const patterns = new Map<string, readonly string[]>();

/** Values for the schemas of the document. */
export class Values {
  private readonly random: Random;
  private readonly document: Json;
  private readonly sources: ValueSources;

  constructor(random: Random, document: Json, sources: ValueSources) {
    this.random = random;
    this.document = document;
    this.sources = sources;
  }

  /** Returns a value that a schema allows, as far as it says. */
  valid(schema: JsonObject, depth = 0): Json {
    const { random } = this;
    const { $ref, anyOf, oneOf, ...form } = schemaForm.parse(schema);
    const example = random.pick(z.array(z.json()).default([]).parse(schema['examples']));
    if (example !== undefined && random.chance(0.4)) return example;
    if ($ref !== undefined) return this.valid(objectForm.parse(this.at($ref)), depth);
    const choice = random.pick(anyOf ?? oneOf ?? []);
    if (choice) return this.valid(choice, depth);
    if (form.const !== undefined) return form.const;
    if (form.enum) return random.pick(form.enum) ?? null;
    switch (random.pick([form.type ?? 'any'].flat()) ?? 'any') {
      case 'object':
        return this.objectOf(form, depth);
      case 'array':
        return depth > maxDepth
          ? []
          : Array.from({ length: random.between(0, 3) }, () => this.valid(form.items, depth + 1));
      case 'string':
        return this.text(form);
      case 'integer':
        return random.between(form.minimum, Math.min(form.maximum ?? form.minimum + 20, form.minimum + 20));
      case 'number':
        return form.minimum + random.next() * 10;
      case 'boolean':
        return random.chance(0.5);
      case 'null':
        return null;
      default:
        return random.pick(hostileValues) ?? null;
    }
  }

  /** Returns the value with one part of it changed to something else. */
  altered(value: Json): Json {
    const { random } = this;
    const places = placesIn(value);
    const place = random.pick(places) ?? [];
    return changed(value, place, random.chance(0.2) ? undefined : this.hostile());
  }

  hostile(): Json {
    return this.random.pick(hostileValues) ?? null;
  }

  private objectOf(form: Form, depth: number): JsonObject {
    const { random } = this;
    const { properties, required, additionalProperties } = form;
    const made: JsonObject = {};
    // With many of them at once one is almost always refused.
    const density = random.pick([0.03, 0.1, 0.4]) ?? 0;
    for (const [name, schema] of Object.entries(properties)) {
      const isGiven = required.includes(name) || (depth < maxDepth && random.chance(density));
      if (!isGiven) continue;
      const own = JSON.stringify(schema['type'] ?? schema['anyOf'] ?? '').includes('string')
        ? this.sources.named?.(name)
        : undefined;
      made[name] = own ?? this.valid(schema, depth + 1);
    }
    if (typeof additionalProperties === 'object') {
      for (let count = random.between(0, 2); count > 0; count -= 1) {
        made[`k${random.between(1, 9)}`] = this.valid(additionalProperties, depth + 1);
      }
    }
    return made;
  }

  private text({ pattern, format, minLength, maxLength }: Form): string {
    const { random } = this;
    if (format === 'uuid') return random.chance(0.8) ? this.sources.someId() : random.uuid();
    if (pattern !== undefined) return random.pick(samplesOf(pattern)) ?? '';
    if (random.chance(0.3)) return this.sources.someId();
    const text = random.chance(0.5) ? `n${random.between(1, 50)}` : (random.pick(hostileTexts) ?? '');
    return text.slice(0, maxLength).padEnd(minLength, 'x');
  }

  private at(reference: string): Json {
    let part: Json = this.document;
    for (const name of reference.split('/').slice(1)) part = objectForm.parse(part)[name] ?? null;
    return part;
  }
}

function samplesOf(pattern: string): readonly string[] {
  const known =
    patterns.get(pattern) ??
    fc.sample(fc.stringMatching(new RegExp(pattern), { size: 'small' }), { numRuns: samplesOfPattern, seed: 1 });
  patterns.set(pattern, known);
  return known;
}

type Place = readonly string[];

/** The places of every part of a value, the whole first. */
function placesIn(value: Json, place: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [place];
  return [place, ...Object.entries(value).flatMap(([key, part]) => placesIn(part, [...place, key]))];
}

/** Returns a value with another part at that place; undefined: without it. */
function changed(value: Json, place: Place, part: Json | undefined): Json {
  const [key, ...rest] = place;
  if (key === undefined) return part ?? {};
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([name, own]): [string, Json][] => {
    if (name !== key) return [[name, own]];
    if (rest.length > 0) return [[name, changed(own, rest, part)]];
    return part === undefined ? [] : [[name, part]];
  });
  return Array.isArray(value) ? entries.map(([, own]) => own) : Object.fromEntries(entries);
}
