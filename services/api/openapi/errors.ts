import { newest, oldest, versionText } from '../microversion.ts';
import { retryAfterHeader } from './headers.ts';
import type { JsonObject } from './json-schema.ts';
import type { DescribedErrors } from './service.ts';

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

/** Returns references to what a call can answer beside success. */
export function errorResponses({ statuses }: DescribedErrors, { isChange }: { isChange: boolean }): JsonObject {
  const those = statuses.filter((status) => isChange || status !== conflict);
  return Object.fromEntries(those.map((status) => [status, { $ref: `#/components/responses/error${status}` }]));
}

/** Returns the responses that errorResponses() refers to. */
export function errorComponents({ statuses, documentOf, headersOf }: DescribedErrors): JsonObject {
  return Object.fromEntries(
    statuses.map((status) => [
      `error${status}`,
      {
        description: descriptions.get(status) ?? String(status),
        headers: {
          'x-openstack-request-id': { $ref: '#/components/headers/requestId' },
          ...(status === 429 || status === 503 ? { 'Retry-After': retryAfterHeader } : {}),
          ...headersOf(status),
        },
        content: { 'application/json': { schema: documentOf(status) } },
      },
    ]),
  );
}
