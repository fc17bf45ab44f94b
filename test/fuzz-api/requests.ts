import { z } from 'zod';
import type { Json } from '../../services/api/openapi/json-schema.ts';
import type { Random } from '../simulation/random.ts';
import { hostileBodies, hostileHeaders, hostileParts, hostileQueries, otherMethods } from './hostile.ts';
import { Values } from './values.ts';

/** A request as it is sent. */
export interface FuzzRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string | Buffer | undefined;
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

interface Operation extends z.output<typeof operationForm> {
  method: string;
  template: string;
  /** Whether the project can be in its path. */
  isOfProject: boolean;
}

const projects = ['', '', '/p1', '/p1', '/p2'];
const newest = 70;

/** Requests for every call of a document: valid ones, ones with a wrong part, and hostile ones. */
export class Requests {
  private readonly random: Random;
  private readonly operations: readonly Operation[];
  private readonly values: Values;
  private readonly idFor: (noun: string) => string;

  /** `idFor`: returns an id of that kind of objects, such as `volumes`; of any where it is ''. */
  constructor(random: Random, document: Json, idFor: (noun: string) => string) {
    this.random = random;
    this.idFor = idFor;
    this.values = new Values(random, document, () => idFor(''));
    this.operations = Object.entries(documentForm.parse(document).paths).flatMap(
      ([template, { methods, isOfProject }]) =>
        Object.entries(methods).map(([method, operation]) =>
          Object.assign(operation, { method: method.toUpperCase(), template, isOfProject }),
        ),
    );
  }

  next(): FuzzRequest {
    const { random } = this;
    const operation = random.pick(this.operations);
    if (!operation) throw new Error('the document has no call');
    const isHostile = random.chance(0.25);
    const method = isHostile && random.chance(0.1) ? (random.pick(otherMethods) ?? 'GET') : operation.method;
    const body = this.bodyOf(operation, isHostile);
    return {
      method,
      path: `/v3${operation.isOfProject ? (random.pick(projects) ?? '') : ''}${this.pathOf(operation, isHostile)}${this.queryOf(operation, isHostile)}`,
      headers: this.headersOf(body, isHostile),
      // Libraries refuse to send one with these.
      body: ['TRACE', 'HEAD'].includes(method) ? undefined : body,
    };
  }

  private pathOf({ template }: Operation, isHostile: boolean): string {
    const { random } = this;
    let noun = '';
    const parts = template.split('/').map((part) => {
      const before = noun;
      noun = part;
      if (isHostile && part !== '' && random.chance(0.1)) return random.pick(hostileParts) ?? '';
      if (!part.startsWith('{')) return part;
      const chance = random.next();
      // Of a quota it is what a request has named.
      if (chance < 0.8) return encodeURIComponent(this.idFor(before).toWellFormed());
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

  private bodyOf({ requestBody, method }: Operation, isHostile: boolean): string | Buffer | undefined {
    const { random, values } = this;
    if (isHostile && random.chance(0.3)) return random.pick(hostileBodies);
    if (!requestBody) return random.chance(method === 'GET' ? 0.02 : 0.2) ? '{}' : undefined;
    const valid = values.valid(requestBody.content['application/json'].schema);
    return JSON.stringify(random.chance(isHostile ? 0.8 : 0.35) ? values.altered(valid) : valid);
  }

  private headersOf(body: string | Buffer | undefined, isHostile: boolean): Record<string, string> {
    const { random } = this;
    const headers: Record<string, string> = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (random.chance(0.7)) headers['openstack-api-version'] = `volume 3.${random.between(0, newest)}`;
    if (random.chance(0.3)) headers['x-auth-token'] = random.pick(['u1', 'admin', 'u1:p1', 'admin:p2']) ?? '';
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
