import { Validator } from '@seriousme/openapi-schema-validator';
import test from 'ava';
import { z } from 'zod';
import { calls } from '../../../services/api/calls/index.ts';
import { identityCalls } from '../../../services/api/identity/calls/index.ts';
import { blockStorageDocument } from '../../../services/api/openapi/block-storage.ts';
import { identityDocument } from '../../../services/api/openapi/identity.ts';
import type { Json, JsonObject } from '../../../services/api/openapi/json-schema.ts';
import { problemOf } from '../../support/answer-check.ts';
import { Cluster } from '../../support/cluster.ts';
import { LocalApi } from '../../support/identity.ts';

const operationSchema = z.looseObject({ operationId: z.string(), summary: z.string().min(1) });
/** Servers of its own are beside the methods of a path. */
const methodsSchema = z.record(z.string(), z.union([operationSchema, z.array(z.unknown())]));
const documentSchema = z.looseObject({ paths: z.record(z.string(), methodsSchema) });
const requestId = 'req-00000000-0000-4000-8000-000000000000';
const services = [
  { name: 'the Block Storage API', path: '/v3', document: blockStorageDocument(), calls },
  { name: 'the identity service', path: '/identity/v3', document: identityDocument(), calls: identityCalls },
];

/** The operations of a document, with the call that each is. */
function operationsOf(document: JsonObject) {
  return Object.entries(documentSchema.parse(document).paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]) =>
      Array.isArray(operation) ? [] : [Object.assign(operation, { call: `${method.toUpperCase()} ${path}` })],
    ),
  );
}

let cluster: Cluster;
let local: LocalApi;
test.before(async () => {
  cluster = await Cluster.start();
  local = await LocalApi.start(cluster);
});
test.after.always(async () => {
  await local?.close();
  await cluster?.close();
});

for (const { name, path, document, calls: ofService } of services) {
  test(`the OpenAPI document of ${name} is served to everybody, and once to those who have it`, async (t) => {
    const { status, body, headers } = await local.client.get(`${path}/openapi.json`);
    t.is(status, 200);
    t.deepEqual(body, JSON.parse(JSON.stringify(document)));
    const etag = headers.get('etag') ?? '';
    const again = await fetch(`${local.client.url}${path}/openapi.json`, {
      headers: { 'if-none-match': `"x", W/${etag}` },
    });
    t.deepEqual([again.status, await again.text()], [304, '']);
  });

  test(`the document of ${name} is valid OpenAPI 3.1, and every reference in it leads somewhere`, async (t) => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    t.true(valid, JSON.stringify(errors));
    t.is(validator.version, '3.1');
    for (const reference of new Set(references(document))) t.not(at(document, reference), undefined, reference);
  });

  test(`every call of ${name} is described`, (t) => {
    const operations = operationsOf(document);
    const named = new Set(operations.map(({ call }) => call));
    for (const { method, path: template } of ofService) {
      const call = `${method} ${template.replaceAll(/:([a-z_]+)/g, '{$1}')}`;
      t.true(named.has(call), call);
    }
    const ids = operations.map(({ operationId }) => operationId);
    t.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) !== index),
      [],
    );
  });
}

test('the documents say who may send a call, with which headers', (t) => {
  const find = (document: JsonObject, name: string) => operationsOf(document).find(({ call }) => call === name);
  const [volumes, identity] = [blockStorageDocument(), identityDocument()];
  t.like(find(volumes, 'PUT /volumes/{id}'), { description: 'role member' });
  t.like(find(identity, 'GET /users'), { description: 'role admin' });
  t.like(find(identity, 'POST /auth/tokens'), { description: 'everybody', security: [] });
  t.like(find(identity, 'GET /auth/tokens'), {
    description: 'signed in',
    parameters: [
      { name: 'nocatalog', in: 'query' },
      { name: 'allow_expired', in: 'query' },
      { $ref: '#/components/parameters/subjectToken' },
    ],
    responses: { 200: { headers: { 'X-Subject-Token': { $ref: '#/components/headers/subjectToken' } } } },
  });
  t.is(find(identity, 'GET /auth/tokens')?.['security'], undefined);
});

test('an answer that is not as the document says fails the test that asked', (t) => {
  const exchange = (fields: object, answer: unknown, status = 200) =>
    problemOf({
      method: 'GET',
      path: '/v3/p1/volumes?limit=1',
      headers: new Headers({ 'OpenStack-API-Version': 'volume 3.12' }),
      request: undefined,
      status,
      answerHeaders: new Headers({ 'x-openstack-request-id': requestId, 'openstack-api-version': 'volume 3.12' }),
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

test('an answer of the identity service that is not as its document says fails the test that asked', (t) => {
  const headers = { 'x-openstack-request-id': requestId, vary: 'X-Auth-Token', 'cache-control': 'no-store' };
  const exchange = (answer: unknown, status = 200, answerHeaders: Record<string, string> = headers, path = 'users') =>
    problemOf({
      method: 'GET',
      path: `/identity/v3/${path}?limit=1`,
      headers: new Headers(),
      request: undefined,
      status,
      answerHeaders: new Headers(answerHeaders),
      answer,
    });
  const user = {
    id: 'a'.repeat(32),
    name: 'ann',
    domain_id: 'default',
    enabled: true,
    password_expires_at: null,
    options: {},
    links: { self: 'http://127.0.0.1/identity/v3/users/a' },
  };
  const list = (one: object) => ({ users: [one], links: { self: 'x', previous: null, next: null } });
  t.is(exchange(list(user)), undefined);
  t.regex(exchange(list({ ...user, password: 'x' })) ?? '', /additional properties/);
  t.regex(exchange(list({ ...user, enabled: 'true' })) ?? '', /must be boolean/);
  t.regex(exchange({ ...list(user), count: 1 }) ?? '', /additional properties/);
  t.regex(exchange(list(user), 200, { ...headers, vary: 'Accept' }) ?? '', /vary is Accept/i);
  t.regex(exchange({}, 406) ?? '', /no status 406/);
  const error = { code: 404, title: 'Not Found', message: 'x' };
  t.is(exchange({ error }, 404), undefined);
  t.regex(exchange({ itemNotFound: error }, 404) ?? '', /'error'/);
  t.regex(exchange({ error: { ...error, code: 400 } }, 404) ?? '', /constant/);
  t.regex(exchange({ error: { ...error, code: 401 } }, 401) ?? '', /no WWW-Authenticate/);
  t.is(exchange({ error }, 404, headers, 'moons'), undefined);
  t.regex(exchange({ moons: [] }, 200, headers, 'moons') ?? '', /no such call/);
});

/** Every `$ref` of a part of the document. */
function references(part: Json): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) =>
    key === '$ref' && typeof value === 'string' ? [value] : references(value),
  );
}

function at(document: JsonObject, reference: string): unknown {
  const names = reference.split('/').slice(1);
  return names.reduce<unknown>((part, name) => {
    // Its parts are not examined: they are large, and documents of JSON in any case.
    const { data } = z.record(z.string(), z.unknown()).safeParse(part);
    return data?.[name];
  }, document);
}
