import test from 'ava';
import { z } from 'zod';
import { createType } from '../../../lib/client/types.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, object, startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
let api: Api;
let client: ApiClient;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  ({ api, client } = await startApi(cluster));
});
test.afterEach.always(async () => {
  await api.stop();
  await cluster.close();
});

const volumes = '/v3/p1/volumes';
const oneSchema = z.object({
  volume: z.looseObject({ id: z.string(), status: z.string(), name: z.string().nullable() }),
});
const listSchema = z.object({
  volumes: z.array(z.looseObject({ id: z.string(), name: z.string().nullable() })),
  volumes_links: z.array(z.object({ rel: z.literal('next'), href: z.string() })).default([]),
  count: z.int().optional(),
});
const errorSchema = z.record(z.string(), z.object({ code: z.int(), message: z.string() }));

async function create(name: string, project = 'p1'): Promise<string> {
  const answer = await client.post(`/v3/${project}/volumes`, { volume: { size: 1, name } });
  return oneSchema.parse(answer.body).volume.id;
}

async function names(path: string): Promise<(string | null)[]> {
  return listSchema.parse((await client.get(path)).body).volumes.map(({ name }) => name);
}

function messageOf({ body }: ApiAnswer): string {
  return Object.values(errorSchema.parse(body))[0]?.message ?? '';
}

test.serial('a volume is created, shown, changed and deleted', async (t) => {
  const created = await client.post(volumes, { volume: { size: 2, name: 'data', metadata: { tier: 'gold' } } });
  t.is(created.status, 202);
  const { id } = oneSchema.parse(created.body).volume;
  const show = async () => oneSchema.parse((await client.get(`${volumes}/${id}`)).body).volume;
  await until(async () => (await show()).status === 'available', 'available');
  t.like(await show(), { name: 'data', size: 2, metadata: { tier: 'gold' }, 'os-vol-tenant-attr:tenant_id': 'p1' });

  const changed = await client.put(`${volumes}/${id}`, { volume: { name: 'logs', description: 'of the mail server' } });
  t.like(oneSchema.parse(changed.body).volume, { name: 'logs', description: 'of the mail server' });
  const unnamed = await client.put(`${volumes}/${id}`, { volume: { description: null } });
  t.like(oneSchema.parse(unnamed.body).volume, { name: 'logs', description: null });
  t.deepEqual((await client.post(`${volumes}/${id}/metadata`, { metadata: { a: '1' } })).body, {
    metadata: { tier: 'gold', a: '1' },
  });
  t.is((await client.delete(`${volumes}/${id}/metadata/tier`)).status, 200);
  t.is((await client.delete(`${volumes}/${id}/metadata/tier`)).status, 404);
  t.deepEqual((await client.get(`${volumes}/${id}/metadata`)).body, { metadata: { a: '1' } });

  t.is((await client.delete(`${volumes}/${id}`)).status, 202);
  await until(async () => (await client.get(`${volumes}/${id}`)).status === 404, 'deleted');
});

test.serial('a project sees its own volumes; an administrator sees all when asked', async (t) => {
  const own = await create('own');
  const other = await create('other', 'p2');
  t.deepEqual(await names(volumes), ['own']);
  t.deepEqual(await names(`${volumes}/detail?all_tenants=1&sort=name:asc`), ['other', 'own']);
  t.is((await client.get(`${volumes}/${other}`)).status, 200);
  t.is((await client.get(`/v3/volumes/${own}`)).status, 200);
});

test.serial('pages are the newest first, go on where they ended, and keep the filters of the request', async (t) => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await create(name);
  t.deepEqual(await names(volumes), ['e', 'd', 'c', 'b', 'a']);
  t.deepEqual(await names(`${volumes}?sort=created_at:asc`), ['a', 'b', 'c', 'd', 'e']);
  const first = listSchema.parse((await client.get(`${volumes}?limit=2&status=available&with_count=true`)).body);
  t.deepEqual([first.volumes.map(({ name }) => name), first.count], [['e', 'd'], 5]);
  const [link] = first.volumes_links;
  t.regex(link?.href ?? '', /\/v3\/p1\/volumes\?limit=2&status=available&with_count=true&marker=/);
  const seen: (string | null)[] = [];
  for (let next = link?.href; next !== undefined; ) {
    const page = listSchema.parse((await client.get(next.slice(client.url.length))).body);
    seen.push(...page.volumes.map(({ name }) => name));
    next = page.volumes_links[0]?.href;
  }
  t.deepEqual(seen, ['c', 'b', 'a']);
  t.deepEqual(listSchema.parse((await client.get(`${volumes}?limit=0`)).body).volumes, []);
  t.is((await client.get(`${volumes}?marker=${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`)).status, 404);
  t.deepEqual(await names(`${volumes}?name~=b`), ['b']);
  t.deepEqual(await names(`${volumes}?name=b&created_at=gt:2026-01-31T08:00:00,lt:2999-01-01`), ['b']);
  t.deepEqual(await names(`${volumes}?created_at=lte:2026-01-31T08:00:00Z`), []);
  t.deepEqual(await names(`${volumes}?limit=1&offset=1&sort_key=name&sort_dir=asc`), ['b']);
});

test.serial('a request names what is wrong with it', async (t) => {
  const wrong: [unknown, RegExp][] = [
    ['{', /not valid JSON/],
    [{}, /^volume: /],
    [{ volume: { size: 0 } }, /^volume\.size: must be at least 1 GiB/],
    [{ volume: { size: 1.5 } }, /^volume\.size: /],
    [{ volume: { size: 1, color: 'red' } }, /color/],
    [{ volume: { size: 2000 } }, /size 2000 is not a whole number of GiB from 0 to 1000/],
    [{ volume: { size: 1, name: 'x'.repeat(256) } }, /^volume\.name: must have at most 255 characters/],
    [{ volume: { size: 1, metadata: { a: 1 } } }, /^volume\.metadata\.a: values must be text/],
    [{ volume: { size: 1, imageRef: 'x' } }, /^volume\.imageRef: /],
  ];
  for (const [body, message] of wrong) {
    const answer = await client.post(volumes, body);
    t.is(answer.status, 400, JSON.stringify(body));
    t.regex(messageOf(answer), message);
  }
  t.is((await client.with({ 'content-type': 'text/plain' }).send('POST', volumes, 'x')).status, 415);
  t.is((await client.post(volumes, { volume: { size: 1, description: 'x'.repeat(300_000) } })).status, 413);
  t.is((await client.get(`${volumes}/${'../'.repeat(3)}x`)).status, 404);
  t.is((await client.get(`${volumes}/not-an-id`)).status, 404);
  t.deepEqual(await names(volumes), []);
});

test.serial('versions outside the range are refused with the range, others are repeated in the answer', async (t) => {
  t.is((await client.get('/')).status, 300);
  for (const path of ['/v3', '/v3/']) t.is((await client.get(path)).status, 200);
  const refused = await client.version(71).get(volumes);
  t.is(refused.status, 406);
  t.like(object.parse(object.parse(refused.body)['notAcceptable']), { min_version: '3.0', max_version: '3.70' });
  for (const [asked, answered] of [
    ['volume 3.42', 'volume 3.42'],
    ['volume latest', 'volume 3.70'],
    ['compute 2.1, volume 3.5', 'volume 3.5'],
    ['compute 2.1', 'volume 3.0'],
  ] as const) {
    const { headers } = await client.with({ 'OpenStack-API-Version': asked }).get(volumes);
    t.is(headers.get('openstack-api-version'), answered);
    t.is(headers.get('vary'), 'OpenStack-API-Version');
  }
});

test.serial('a request that is sent twice with the same key makes one volume', async (t) => {
  const send = (size: number) =>
    client.with({ 'Idempotency-Key': 'k1' }).post(volumes, { volume: { size, name: 'a' } });
  const answers = await Promise.all([send(1), send(1)]);
  t.deepEqual(
    answers.map(({ status }) => status),
    [202, 202],
  );
  const [one, other] = answers.map(({ body }) => oneSchema.parse(body).volume.id);
  t.is(one, other);
  t.is((await send(2)).status, 409);
  t.deepEqual(await names(volumes), ['a']);
});

test.serial('what no backend is, is a mistake in the request; what a backend that is down is, is not', async (t) => {
  const store = await cluster.store();
  const away = await cluster.node('n2', { storage_availability_zone: 'west' }, { name: 'tapes' });
  const far = await createType(store, { name: 'far', requirements: { zone: 'mars' } });
  await createType(store, { name: 'tapes', requirements: { backend: 'tapes' } });
  const ask = async (fields: object) => {
    const answer = await client.post(volumes, { volume: { size: 1, ...fields } });
    return answer.status === 202 ? '202' : `${answer.status}: ${messageOf(answer)}`;
  };
  t.regex(
    await ask({ availability_zone: 'east' }),
    /^400: no backend is what the volume requires: n1@fake: its zone is/,
  );
  t.regex(await ask({ volume_type: far.id }), /^400: .*n2@tapes: its zone is west, not mars/);
  t.regex(await ask({ volume_type: 'tapes', availability_zone: 'nova' }), /^400: .*n1@fake: its backend is fake/);
  t.is(await ask({ volume_type: 'tapes' }), '202');
  await away.stop();
  t.regex(await ask({ volume_type: 'tapes' }), /^503: /);
  t.regex(await ask({ availability_zone: 'west' }), /^503: /);
  t.regex(await ask({ availability_zone: 'east' }), /^400: /);
  const id = await create('here');
  const retype = async (name: string) => {
    const body = { 'os-retype': { new_type: name, migration_policy: 'on-demand' } };
    return (await client.post(`${volumes}/${id}/action`, body)).status;
  };
  t.is(await retype('far'), 400);
});
