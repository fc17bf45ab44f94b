import { version } from '../../../lib/version.ts';
import type { Call } from '../call.ts';
import { routesOf } from '../dispatch.ts';
import { newest, oldest, versionText } from '../microversion.ts';
import { versionsAnswer } from '../versions.ts';
import { errorComponents, errorSchemas } from './errors.ts';
import { type JsonObject, JsonSchemas } from './json-schema.ts';
import { operationOf } from './operation.ts';

const description = `Persistent block volumes for a cluster: the Block Storage API v3 in its versions ${versionText(oldest)} to ${versionText(newest)}.

Without the header OpenStack-API-Version a request has version ${versionText(oldest)}. \`x-openstack\` marks what only some versions have (min-ver, \
max-ver), and which action a schema is of (action-name). Objects of other projects answer 404, as if they did not exist.`;

/** Addresses are relative to that of the document, so that it is the same behind every proxy. */
const servers: readonly JsonObject[] = [
  { url: '../v3', description: 'The project of the token' },
  {
    url: '../v3/{project_id}',
    description: 'The same with the project in the path, as clients of versions before 3.67 send it',
    variables: { project_id: { default: 'default' } },
  },
];

const requestId = { type: 'string', pattern: '^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' };

const parameters = {
  version: {
    name: 'OpenStack-API-Version',
    in: 'header',
    description: 'Such as `volume 3.70` or `volume latest`',
    schema: { type: 'string' },
    example: `volume ${versionText(newest)}`,
  },
  requestId: {
    name: 'X-OpenStack-Request-ID',
    in: 'header',
    description: 'An id that the client gives to the request; events and the log of the node have it',
    schema: requestId,
  },
  idempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'A request that is repeated with the same key has one effect',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
};

const headers = {
  requestId: { description: 'The id of the request, as in the log of the node', required: true, schema: requestId },
  version: {
    description: 'The version that was served',
    required: true,
    schema: { type: 'string', pattern: String.raw`^volume 3\.\d+$` },
  },
};

const securitySchemes = {
  token: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Auth-Token',
    description: 'A token of the identity service. With auth_strategy noauth any text, `user:project`, or none.',
  },
};

/** What nobody needs a token for. */
function openPaths(schemas: JsonSchemas): Record<string, JsonObject> {
  const get = (operationId: string, summary: string, schema: JsonObject): JsonObject => ({
    servers: [servers[0] ?? {}],
    get: {
      operationId,
      summary,
      tags: ['version'],
      security: [],
      responses: {
        200: {
          description: summary,
          headers: { 'x-openstack-request-id': { $ref: '#/components/headers/requestId' } },
          content: { 'application/json': { schema } },
        },
      },
    },
  });
  return {
    '/': get('getVersions', 'Lists the versions that are served', schemas.of(versionsAnswer, 'output')),
    '/openapi.json': get('getOpenApi', 'Shows this document', { type: 'object' }),
  };
}

/** Returns the description of calls in OpenAPI 3.1. */
export function openApiDocument(calls: readonly Call[]): JsonObject {
  const schemas = new JsonSchemas();
  const paths = openPaths(schemas);
  for (const route of routesOf(calls)) {
    const path = route.path.replaceAll(/:([a-z_]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, schemas) };
  }
  const named = [...schemas.named].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return {
    openapi: '3.1.0',
    info: { title: 'blockstore', version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [...servers],
    security: [{ token: [] }],
    tags: ['version', ...new Set(calls.map(({ name }) => name.split(':', 1)[0] ?? name))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...errorSchemas, ...Object.fromEntries(named) },
      parameters,
      headers,
      responses: errorComponents(),
      securitySchemes,
    },
  };
}
