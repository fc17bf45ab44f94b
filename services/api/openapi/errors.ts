import { errorForms } from '../error-answer.ts';
import { newest, oldest, versionText } from '../microversion.ts';
import type { JsonObject } from './json-schema.ts';

/** Names of the documents of errors, by their HTTP status. */
const forms = new Map(errorForms.map(({ status, name }) => [status, name]));
/** Of changes alone. */
const conflict = 409;

const descriptions: ReadonlyMap<number, string> = new Map([
  [400, 'A part of the request is wrong; the message names each'],
  [401, 'The request does not say who sends it, or its token is wrong or has expired'],
  [403, 'The caller lacks a role that the call requires'],
  [404, 'The object, or the call in this version, does not exist for the caller'],
  [406, `The version is not served: ${versionText(oldest)} to ${versionText(newest)} are`],
  [408, 'The request did not arrive in time'],
  [conflict, 'The object is in a status that does not allow it, or another request was first'],
  [413, 'The request is too large, or a quota or the free space is exceeded'],
  [415, 'The body is not declared as JSON'],
  [429, 'The caller sends too many requests'],
  [431, 'The header of the request is too large'],
  [500, 'A failure; the log of the node has its cause, with the id of the request'],
  [503, 'The cluster cannot answer now'],
]);

const fault = {
  type: 'object',
  properties: { code: { type: 'integer' }, message: { type: 'string', minLength: 1 } },
  required: ['code', 'message'],
  additionalProperties: { type: 'string' },
};
const retryAfter = { description: 'Seconds', required: true, schema: { type: 'string', pattern: String.raw`^\d+$` } };

/** Returns references to what a call can answer beside success. */
export function errorResponses({ isChange }: { isChange: boolean }): JsonObject {
  const statuses = [...forms.keys()].filter((status) => isChange || status !== conflict);
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/error${status}` }]));
}

export const errorSchemas: JsonObject = { Fault: fault };

/** Returns the responses that errorResponses() refers to. */
export function errorComponents(): JsonObject {
  return Object.fromEntries(
    Array.from(forms, ([status, name]) => [
      `error${status}`,
      {
        description: descriptions.get(status) ?? name,
        headers: {
          'x-openstack-request-id': { $ref: '#/components/headers/requestId' },
          ...(status === 429 || status === 503 ? { 'Retry-After': retryAfter } : {}),
        },
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: { [name]: { $ref: '#/components/schemas/Fault' } },
              required: [name],
              additionalProperties: false,
            },
          },
        },
      },
    ]),
  );
}
