import { z } from 'zod';
import { type Call, noAnswer, noBody } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { policy } from '../policy.ts';
import { versionText } from '../microversion.ts';
import { errorResponses } from './errors.ts';
import type { Json, JsonObject, JsonSchemas } from './json-schema.ts';

const commonParameters = ['version', 'requestId'];

/** Returns the operation of the calls that share a method and a path. */
export function operationOf({ method, path, calls }: Route, schemas: JsonSchemas): JsonObject {
  const [only] = calls.length === 1 ? calls : [];
  const range = only ? rangeOf(only) : {};
  const parameters = method === 'POST' ? [...commonParameters, 'idempotencyKey'] : commonParameters;
  return {
    operationId: operationId(method, path),
    summary: summaryOf(calls),
    description: only ? conditionsOf(only) : calls.map(lineOf).join('\n'),
    tags: [...new Set(calls.map(({ name }) => name.split(':', 1)[0] ?? name))],
    ...(Object.keys(range).length === 0 ? {} : { 'x-openstack': range }),
    parameters: [
      ...pathParameters(path),
      ...queryParameters(calls, schemas),
      ...parameters.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...bodyOf(calls, schemas),
    // Some changes are asked for by GET.
    responses: {
      ...answersOf(calls, schemas),
      ...errorResponses({ isChange: method !== 'GET' || calls.some(({ status }) => status !== 200) }),
    },
  };
}

/** Such as `getVolumesIdMetadata`. */
function operationId(method: string, path: string): string {
  return method.toLowerCase() + path.replaceAll(/[^a-zA-Z]+(.)/g, (_, letter: string) => letter.toUpperCase());
}

function summaryOf(calls: readonly Call[]): string {
  const [first] = calls;
  if (first?.action !== undefined) return `Actions: ${calls.map(({ action }) => action).join(', ')}`;
  return first?.summary ?? '';
}

/** One line of the description. */
function lineOf(call: Call): string {
  const { summary, action } = call;
  return `- ${action === undefined ? '' : `\`${action}\`: `}${summary} (${conditionsOf(call)})`;
}

function conditionsOf({ name, since, until }: Call): string {
  return [
    `role ${policy[name]}`,
    ...(since === undefined ? [] : [`since version ${versionText(since)}`]),
    ...(until === undefined ? [] : [`until version ${versionText(until)}`]),
  ].join(', ');
}

/** In the form that other tools of the Block Storage API know. */
function rangeOf({ since, until }: Call): JsonObject {
  return {
    ...(since === undefined ? {} : { 'min-ver': versionText(since) }),
    ...(until === undefined ? {} : { 'max-ver': versionText(until) }),
  };
}

/** What distinguishes a call from the others of its route. */
function mark(call: Call, calls: readonly Call[]): JsonObject {
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

function queryParameters(calls: readonly Call[], schemas: JsonSchemas): Json[] {
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

function bodyOf(calls: readonly Call[], schemas: JsonSchemas): JsonObject {
  const bodies = calls
    .filter(({ action, body }) => action !== undefined || body !== noBody)
    .map((call) => Object.assign(requestOf(call, schemas), mark(call, calls)));
  if (bodies.length === 0) return {};
  const isOfActions = new Set(calls.map(({ action }) => action)).size === calls.length;
  return { requestBody: { required: true, content: contentOf(bodies, isOfActions ? 'oneOf' : 'anyOf') } };
}

/** The body of an action has one key, its name. */
function requestOf({ action, body, summary }: Call, schemas: JsonSchemas): JsonObject {
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

function answersOf(calls: readonly Call[], schemas: JsonSchemas): JsonObject {
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
      return [status, { description, headers: answerHeaders, ...content, ...bodiless }];
    }),
  );
}

const answerHeaders = {
  'x-openstack-request-id': { $ref: '#/components/headers/requestId' },
  'OpenStack-API-Version': { $ref: '#/components/headers/version' },
};

function contentOf(schemas: readonly JsonObject[], choice: 'oneOf' | 'anyOf'): JsonObject {
  const [first = {}, ...others] = schemas;
  return { 'application/json': { schema: others.length === 0 ? first : { [choice]: [...schemas] } } };
}
