import { z } from 'zod';
import type { Json } from '../../services/api/openapi/json-schema.ts';
import type { Random } from '../simulation/random.ts';
import { hostileBodies, hostileHeaders, hostileParts, hostileQueries, otherMethods } from './hostile.ts';
import { type ValueSources, Values } from './values.ts';

/** A request as it is sent. */
export interface FuzzRequest {
  /** The call that it is for, as in the document. */
  call: string;
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string | Buffer | undefined;
  /** The address that it comes from; undefined for any. */
  from?: string | undefined;
}

/** What the sender of a request chooses. */
export interface Turn {
  /** In front of the path of the call. */
  prefix: string;
  headers: Readonly<Record<string, string>>;
  /** Returns an id of that kind of objects, such as `volumes`. */
  idFor: (noun: string) => string;
  /** In place of one that the document allows. */
  body?: Json | undefined;
  from?: string | undefined;
}

/** What requests to one service have, beside what its document says. */
export interface Dialect extends ValueSources {
  turn: (operation: Operation) => Turn;
  /** How often each call is sent, those that it does not name once. */
  shares?: ReadonlyMap<string, number>;
}

const schemaForm = z.record(z.string(), z.json());
const operationForm = z.object({
  parameters: z
    .array(
      z.object({
        name: z.string().default(''),
        in: z.string().default(''),
        required: z.boolean().default(false),
        schema: schemaForm.default({}),
      }),
    )
    .default([]),
  requestBody: z.object({ content: z.object({ 'application/json': z.object({ schema: schemaForm }) }) }).optional(),
});
const pathForm = z
  .object({ servers: z.array(z.unknown()).optional() })
  .catchall(operationForm)
  .transform(({ servers, ...methods }) => ({ isOfProject: servers === undefined, methods }));
const documentForm = z.object({ paths: z.record(z.string(), pathForm) });

export interface Operation extends z.output<typeof operationForm> {
  /** Such as `GET /volumes`. */
  call: string;
  method: string;
  template: string;
  /** Whether the project can be in its path. */
  isOfProject: boolean;
}

/** Requests for every call of a document: valid ones, ones with a wrong part, and hostile ones. */
export class Requests {
  private readonly random: Random;
  private readonly operations: readonly Operation[];
  private readonly values: Values;
  private readonly dialect: Dialect;

  constructor(random: Random, document: Json, dialect: Dialect) {
    this.random = random;
    this.dialect = dialect;
    this.values = new Values(random, document, dialect);
    this.operations = Object.entries(documentForm.parse(document).paths).flatMap(
      ([template, { methods, isOfProject }]) =>
        Object.entries(methods).flatMap(([name, operation]) => {
          const method = name.toUpperCase();
          const call = `${method} ${template}`;
          const made = Object.assign(operation, { call, method, template, isOfProject });
          return Array.from({ length: dialect.shares?.get(call) ?? 1 }, () => made);
        }),
    );
  }

  next(): FuzzRequest {
    const { random } = this;
    const operation = random.pick(this.operations);
    if (!operation) throw new Error('the document has no call');
    const isHostile = random.chance(0.25);
    const method = isHostile && random.chance(0.1) ? (random.pick(otherMethods) ?? 'GET') : operation.method;
    const turn = this.dialect.turn(operation);
    const body = this.bodyOf(operation, turn, isHostile);
    return {
      call: operation.call,
      method,
      path: `${turn.prefix}${this.pathOf(operation, turn, isHostile)}${this.queryOf(operation, isHostile)}`,
      headers: this.headersOf(turn, body, isHostile),
      from: turn.from,
      // Libraries refuse to send one with these.
      body: ['TRACE', 'HEAD'].includes(method) ? undefined : body,
    };
  }

  private pathOf({ template }: Operation, { idFor }: Turn, isHostile: boolean): string {
    const { random } = this;
    let noun = '';
    const parts = template.split('/').map((part) => {
      const before = noun;
      noun = part;
      if (isHostile && part !== '' && random.chance(0.1)) return random.pick(hostileParts) ?? '';
      if (!part.startsWith('{')) return part;
      const chance = random.next();
      // Of a quota it is what a request has named.
      if (chance < 0.8) return encodeURIComponent(idFor(before).toWellFormed());
      return chance < 0.9 ? random.uuid() : `n${random.between(1, 50)}`;
    });
    const path = parts.join('/');
    return isHostile && random.chance(0.1) ? `${path}${random.pick(['/', '//', '/x', '/..']) ?? ''}` : path;
  }

  private queryOf({ parameters }: Operation, isHostile: boolean): string {
    const { random, values } = this;
    if (isHostile && random.chance(0.4)) return random.pick(hostileQueries) ?? '';
    const query = new URLSearchParams();
    for (const parameter of parameters) {
      if (parameter.in !== 'query' || !(parameter.required || random.chance(0.15))) continue;
      const value = isHostile && random.chance(0.3) ? values.hostile() : values.valid(parameter.schema);
      query.append(parameter.name, typeof value === 'string' ? value : JSON.stringify(value));
    }
    return query.size === 0 ? '' : `?${query.toString()}`;
  }

  private bodyOf({ requestBody, method }: Operation, turn: Turn, isHostile: boolean): string | Buffer | undefined {
    const { random, values } = this;
    if (isHostile && random.chance(0.3)) return random.pick(hostileBodies);
    if (!requestBody) return random.chance(method === 'GET' ? 0.02 : 0.2) ? '{}' : undefined;
    const valid = turn.body ?? values.valid(requestBody.content['application/json'].schema);
    const text = JSON.stringify(random.chance(isHostile ? 0.8 : 0.35) ? values.altered(valid) : valid);
    if (!isHostile) return text;
    // One that is cut off, and one that has a key twice.
    if (random.chance(0.1)) return text.slice(0, random.between(1, text.length));
    return random.chance(0.1) ? text.replace(/("\w+":)("(?:[^"\\]|\\.)*")/, '$1$2,$1$2') : text;
  }

  private headersOf({ headers: own }: Turn, body: string | Buffer | undefined, isHostile: boolean) {
    const { random } = this;
    const headers: Record<string, string> = { ...own };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (random.chance(0.05)) headers['idempotency-key'] = `k${random.between(1, 20)}`;
    if (isHostile) {
      for (let count = random.between(0, 2); count > 0; count -= 1) {
        const [name, value] = random.pick(hostileHeaders) ?? ['x', ''];
        headers[name.toLowerCase()] = value;
      }
    }
    return headers;
  }
}
