import { z } from 'zod';
import { noAnswer, noBody } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { versionText } from '../microversion.ts';
import { errorResponses } from './errors.ts';
import type { Json, JsonObject, JsonSchemas } from './json-schema.ts';
import type { DescribedCall, DescribedService } from './service.ts';

/** Returns the operation of the calls that share a method and a path. */
export function operationOf<Call extends DescribedCall>(
  { method, path, calls }: Route<Call>,
  service: DescribedService<Call>,
  schemas: JsonSchemas,
): JsonObject {
  const [only] = calls.length === 1 ? calls : [];
  const range = only ? rangeOf(only) : {};
  return {
    operationId: operationId(method, path),
    summary: summaryOf(calls),
    description: only ? conditionsOf(only, service) : calls.map((call) => lineOf(call, service)).join('\n'),
    tags: [...new Set(calls.map(({ name }) => name.split(':', 1)[0] ?? name))],
    ...(calls.every(service.isOpen) ? { security: [] } : {}),
    ...(Object.keys(range).length === 0 ? {} : { 'x-openstack': range }),
    parameters: [
      ...pathParameters(path),
      ...queryParameters(calls, schemas),
      ...service.parametersOf(method, calls).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...bodyOf(calls, schemas),
    // Some changes are asked for by GET.
    responses: {
      ...answersOf(calls, headersOf(calls, service), schemas),
      ...errorResponses(service.errors, { isChange: !isRead(method) || calls.some(({ status }) => status !== 200) }),
    },
  };
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Such as `getVolumesIdMetadata`. */
function operationId(method: string, path: string): string {
  return method.toLowerCase() + path.replaceAll(/[^a-zA-Z]+(.)/g, (_, letter: string) => letter.toUpperCase());
}

function summaryOf(calls: readonly DescribedCall[]): string {
  const [first] = calls;
  if (first?.action !== undefined) return `Actions: ${calls.map(({ action }) => action).join(', ')}`;
  return first?.summary ?? '';
}

/** One line of the description. */
function lineOf<Call extends DescribedCall>(call: Call, service: DescribedService<Call>): string {
  const { summary, action } = call;
  return `- ${action === undefined ? '' : `\`${action}\`: `}${summary} (${conditionsOf(call, service)})`;
}

function conditionsOf<Call extends DescribedCall>(call: Call, { accessOf }: DescribedService<Call>): string {
  const { since, until } = call;
  return [
    accessOf(call),
    ...(since === undefined ? [] : [`since version ${versionText(since)}`]),
    ...(until === undefined ? [] : [`until version ${versionText(until)}`]),
  ].join(', ');
}

/** In the form that other tools of the Block Storage API know. */
function rangeOf({ since, until }: DescribedCall): JsonObject {
  return {
    ...(since === undefined ? {} : { 'min-ver': versionText(since) }),
    ...(until === undefined ? {} : { 'max-ver': versionText(until) }),
  };
}

/** What distinguishes a call from the others of its route. */
function mark(call: DescribedCall, calls: readonly DescribedCall[]): JsonObject {
  if (calls.length === 1) return {};
  const action = call.action === undefined ? {} : { 'action-name': call.action };
  const marks = { ...rangeOf(call), ...action };
  return Object.keys(marks).length === 0 ? {} : { 'x-openstack': marks };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:([a-z_]+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

const objectSchema = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.json())).default({}),
  required: z.array(z.string()).default([]),
});

function queryParameters(calls: readonly DescribedCall[], schemas: JsonSchemas): Json[] {
  const byName = new Map<string, Json>();
  for (const { query } of calls) {
    const { properties, required } = objectSchema.parse(schemas.of(query, 'input'));
    for (const [name, { description, ...schema }] of Object.entries(properties)) {
      if (byName.has(name)) continue;
      byName.set(name, {
        name,
        in: 'query',
        ...(description === undefined ? {} : { description }),
        ...(required.includes(name) ? { required: true } : {}),
        schema,
      });
    }
  }
  return [...byName.values()];
}

function bodyOf(calls: readonly DescribedCall[], schemas: JsonSchemas): JsonObject {
  const bodies = calls
    .filter(({ action, body }) => action !== undefined || body !== noBody)
    .map((call) => Object.assign(requestOf(call, schemas), mark(call, calls)));
  if (bodies.length === 0) return {};
  const isOfActions = new Set(calls.map(({ action }) => action)).size === calls.length;
  return { requestBody: { required: true, content: contentOf(bodies, isOfActions ? 'oneOf' : 'anyOf') } };
}

/** The body of an action has one key, its name. */
function requestOf({ action, body, summary }: DescribedCall, schemas: JsonSchemas): JsonObject {
  const schema = schemas.of(body, 'input');
  if (action === undefined) return schema;
  return {
    title: summary,
    type: 'object',
    properties: { [action]: schema },
    required: [action],
    additionalProperties: false,
  };
}

function answersOf(calls: readonly DescribedCall[], headers: JsonObject, schemas: JsonSchemas): JsonObject {
  const byStatus = Map.groupBy(calls, ({ status }) => String(status));
  return Object.fromEntries(
    Array.from(byStatus, ([status, those]) => {
      const documents = those
        .filter(({ answer }) => answer !== noAnswer && !(answer instanceof z.ZodNever))
        .map((call) => Object.assign(schemas.of(call.answer, 'output'), mark(call, calls)));
      const description = those.map(({ action, summary }) => action ?? summary).join('; ');
      const content = documents.length === 0 ? {} : { content: contentOf(documents, 'anyOf') };
      const empty = documents.length === 0 ? [] : those.filter(({ answer }) => answer === noAnswer);
      const bodiless = empty.length === 0 ? {} : { 'x-no-body': empty.flatMap(({ action = [] }) => action) };
      return [status, { description, headers, ...content, ...bodiless }];
    }),
  );
}

function headersOf<Call extends DescribedCall>(calls: readonly Call[], service: DescribedService<Call>): JsonObject {
  const names = { 'x-openstack-request-id': 'requestId', ...service.headersOf(calls) };
  return Object.fromEntries(
    Object.entries(names).map(([header, name]) => [header, { $ref: `#/components/headers/${name}` }]),
  );
}

function contentOf(schemas: readonly JsonObject[], choice: 'oneOf' | 'anyOf'): JsonObject {
  const [first = {}, ...others] = schemas;
  return { 'application/json': { schema: others.length === 0 ? first : { [choice]: [...schemas] } } };
}
