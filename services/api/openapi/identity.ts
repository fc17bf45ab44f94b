import { STATUS_CODES } from 'node:http';
import type { IdentityCall } from '../identity/call.ts';
import { identityCalls } from '../identity/calls/index.ts';
import { accessOf, isOpen } from '../identity/policy.ts';
import { identityVersionAnswer } from '../identity/versions.ts';
import { openApiDocument } from './document.ts';
import { faultDocument, faultSchemas, faultStatuses } from './faults.ts';
import { idempotencyKeyParameter, requestIdHeader } from './headers.ts';
import type { JsonObject } from './json-schema.ts';
import type { DescribedService } from './service.ts';

const description = `Users, projects, roles and tokens of the API of a cluster: Identity v3 with one domain, \`default\`, and four roles.

What cannot be read as a request is answered before its path is known, in the form of the Block Storage API.`;

const tokenText = { type: 'string', pattern: String.raw`^bst_[\w-]+$` };
/** Answered before the path is known. */
const beforePath: ReadonlySet<number> = new Set([408, 431]);

const service: DescribedService<IdentityCall> = {
  calls: identityCalls,
  title: 'blockstore identity',
  description,
  servers: [{ url: '../v3', description: 'The identity service of this node' }],
  root: { operationId: 'getVersion', summary: 'Shows the version that is served', answer: identityVersionAnswer },
  securitySchemes: {
    token: {
      type: 'apiKey',
      in: 'header',
      name: 'X-Auth-Token',
      description: 'A token that POST /auth/tokens answers',
    },
  },
  parameters: {
    subjectToken: {
      name: 'X-Subject-Token',
      in: 'header',
      description: 'The token that the call is about',
      required: true,
      schema: { type: 'string' },
    },
    idempotencyKey: idempotencyKeyParameter,
  },
  headers: {
    requestId: requestIdHeader,
    subjectToken: { description: 'The token that the answer is about', required: true, schema: tokenText },
    vary: { description: 'What answers depend on', required: true, schema: { const: 'X-Auth-Token' } },
    cacheControl: { description: 'No answer is stored', required: true, schema: { const: 'no-store' } },
  },
  parametersOf: (_method, calls) => [...new Set(calls.flatMap(({ headers }) => headers?.request ?? []))],
  headersOf: (calls) => ({
    Vary: 'vary',
    'Cache-Control': 'cacheControl',
    ...(calls.some(({ headers }) => headers?.answer) ? { 'X-Subject-Token': 'subjectToken' } : {}),
  }),
  accessOf: ({ name }) => accessOf(name),
  isOpen: ({ name }) => isOpen(name),
  errors: {
    // There is one version, which requests cannot name.
    statuses: faultStatuses.filter((status) => status !== 406),
    schemas: faultSchemas,
    documentOf: (status) => (beforePath.has(status) ? faultDocument(status) : errorDocument(status)),
    headersOf: (status) => (status === 401 ? { 'WWW-Authenticate': challenge } : {}),
  },
};

const challenge = {
  description: 'Where to get a token',
  required: true,
  schema: { type: 'string', pattern: '^Keystone uri="[^"]+"$' },
};

/** What identityErrorAnswer() makes. */
function errorDocument(status: number): JsonObject {
  const properties = {
    code: { const: status },
    title: { const: STATUS_CODES[status] ?? '' },
    message: { type: 'string', minLength: 1 },
  };
  const error = { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
  return { type: 'object', properties: { error }, required: ['error'], additionalProperties: false };
}

/** Returns the description of the identity service. */
export function identityDocument(): JsonObject {
  return openApiDocument(service);
}
