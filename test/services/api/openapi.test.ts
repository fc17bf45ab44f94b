import { Validator } from '@seriousme/openapi-schema-validator';
import test from 'ava';
import { z } from 'zod';
import { calls } from '../../../services/api/calls/index.ts';
import { openApiDocument } from '../../../services/api/openapi/document.ts';
import type { Json } from '../../../services/api/openapi/json-schema.ts';
import { problemOf } from '../../support/answer-check.ts';
import { startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';

const operationSchema = z.looseObject({ operationId: z.string(), summary: z.string().min(1) });
/** Servers of its own are beside the methods of a path. */
const methodsSchema = z.record(z.string(), z.union([operationSchema, z.array(z.unknown())]));
const documentSchema = z.looseObject({ paths: z.record(z.string(), methodsSchema) });
const document = openApiDocument(calls);
const operations = Object.entries(documentSchema.parse(document).paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, operation]) =>
    Array.isArray(operation) ? [] : [Object.assign(operation, { call: `${method.toUpperCase()} ${path}` })],
  ),
);

test('the OpenAPI document is served to everybody, and once to those who have it', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const { api, client } = await startApi(cluster);
  t.teardown(() => api.stop());
  const { status, body, headers } = await client.get('/v3/openapi.json');
  t.is(status, 200);
  t.deepEqual(body, JSON.parse(JSON.stringify(document)));
  const etag = headers.get('etag') ?? '';
  const again = await fetch(`${client.url}/v3/openapi.json`, { headers: { 'if-none-match': `"x", W/${etag}` } });
  t.deepEqual([again.status, await again.text()], [304, '']);
});

test('the document is valid OpenAPI 3.1, and every reference in it leads somewhere', async (t) => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  t.true(valid, JSON.stringify(errors));
  t.is(validator.version, '3.1');
  for (const reference of new Set(references(document))) t.not(at(reference), undefined, reference);
});

test('every call is described, with the role that it requires and its versions', (t) => {
  const described = new Set(operations.map(({ call }) => call));
  for (const { method, path } of calls) {
    const call = `${method} ${path.replaceAll(/:([a-z_]+)/g, '{$1}')}`;
    t.true(described.has(call), call);
  }
  const ids = operations.map(({ operationId }) => operationId);
  t.deepEqual(
    ids.filter((id, index) => ids.indexOf(id) !== index),
    [],
  );
  t.like(
    operations.find(({ call }) => call === 'PUT /volumes/{id}'),
    { description: 'role member' },
  );
});

test('an answer that is not as the document says fails the test that asked', (t) => {
  const exchange = (fields: object, answer: unknown, status = 200) =>
    problemOf({
      method: 'GET',
      path: '/v3/p1/volumes?limit=1',
      headers: new Headers({ 'OpenStack-API-Version': 'volume 3.12' }),
      request: undefined,
      status,
      answerHeaders: new Headers({ 'x-openstack-request-id': 'req-1', 'openstack-api-version': 'volume 3.12' }),
      answer,
      ...fields,
    });
  const one = { id: 'a', name: null, links: [] };
  t.is(exchange({}, { volumes: [one] }), undefined);
  t.regex(exchange({}, { volumes: [{ ...one, color: 'red' }] }) ?? '', /additional properties/);
  t.regex(exchange({}, { volumes: [{ ...one, id: 7 }] }) ?? '', /must be string/);
  t.regex(exchange({}, undefined) ?? '', /must be object/);
  t.regex(exchange({}, { volumes: [] }, 201) ?? '', /no status 201/);
  t.regex(exchange({}, { itemNotFound: { code: 404 } }, 404) ?? '', /'message'/);
  t.regex(exchange({ path: '/v3/moons' }, {}) ?? '', /no such call/);
  t.regex(exchange({ answerHeaders: new Headers() }, { volumes: [one] }) ?? '', /no x-openstack-request-id/);
});

/** Every `$ref` of a part of the document. */
function references(part: Json): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) =>
    key === '$ref' && typeof value === 'string' ? [value] : references(value),
  );
}

function at(reference: string): unknown {
  const names = reference.split('/').slice(1);
  return names.reduce<unknown>((part, name) => {
    // Its parts are not examined: they are large, and documents of JSON in any case.
    const { data } = z.record(z.string(), z.unknown()).safeParse(part);
    return data?.[name];
  }, document);
}
