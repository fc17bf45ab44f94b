import { version } from '../../../lib/version.ts';
import { routesOf } from '../dispatch.ts';
import { errorComponents } from './errors.ts';
import { anyObject, type Json, type JsonObject, JsonSchemas } from './json-schema.ts';
import { operationOf } from './operation.ts';
import type { DescribedCall, DescribedService } from './service.ts';

/** Returns the description of a service in OpenAPI 3.1. */
export function openApiDocument<Call extends DescribedCall>(service: DescribedService<Call>): JsonObject {
  const { calls, title, description, servers, parameters, headers, securitySchemes } = service;
  const schemas = new JsonSchemas();
  const paths = openPaths(service, schemas);
  for (const route of routesOf(calls)) {
    const path = route.path.replaceAll(/:([a-z_]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, service, schemas) };
  }
  const named = [...schemas.named].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return {
    openapi: '3.1.0',
    info: { title, version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [...servers],
    security: Object.keys(securitySchemes).map((name) => ({ [name]: [] })),
    tags: ['version', ...new Set(calls.map(({ name }) => name.split(':', 1)[0] ?? name))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...service.errors.schemas, ...Object.fromEntries(named) },
      parameters,
      headers,
      responses: errorComponents(service.errors),
      securitySchemes,
    },
  };
}

/** What nobody needs a token for. */
function openPaths<Call extends DescribedCall>(
  { root, servers: [first, ...others] }: DescribedService<Call>,
  schemas: JsonSchemas,
): Record<string, JsonObject> {
  const servers: Record<string, Json> = others.length === 0 ? {} : { servers: [first] };
  const get = (operationId: string, summary: string, schema: JsonObject): JsonObject => ({
    ...servers,
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
    '/': get(root.operationId, root.summary, schemas.of(root.answer, 'output')),
    '/openapi.json': get('getOpenApi', 'Shows this document', anyObject),
  };
}
