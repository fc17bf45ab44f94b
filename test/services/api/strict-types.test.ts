import test from 'ava';
import { z } from 'zod';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { createType } from '../../../lib/client/types.ts';
import type { Api } from '../../../services/api/api.ts';
import { type ApiAnswer, type ApiClient, startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/**
 * Requests and answers of clients in Go: Terraform, the drivers of Kubernetes. They parse each field as one type, null as its zero, and times
 * in one form each.
 */

const deadline = { deadlineMs: 60_000 };

let cluster: Cluster;
let api: Api;
let client: ApiClient;
let commands: VolumeCommands;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  ({ api, client } = await startApi(cluster));
  commands = await cluster.commands();
});
test.afterEach.always(async () => {
  await api.stop();
  await cluster.close();
});

const root = '/v3/0123456789abcdef0123456789abcdef';
const text = z.string().nullable();
/** 2006-01-02T15:04:05.999999, in UTC. */
const micros = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
const time = micros.nullable();
const texts = z.record(z.string(), z.string());
const links = z.array(z.object({ href: z.url(), rel: z.string() }));
const volumeFields = {
  id: z.string(),
  status: z.string(),
  size: z.int(),
  availability_zone: z.string(),
  created_at: micros,
  updated_at: time,
  attachments: z.array(
    z.object({
      attached_at: micros,
      attachment_id: z.string(),
      device: text,
      host_name: text,
      id: z.string(),
      server_id: text,
      volume_id: z.string(),
    }),
  ),
  name: text,
  description: text,
  volume_type: text,
  snapshot_id: text,
  source_volid: text,
  backup_id: text.optional(),
  metadata: texts,
  user_id: z.string(),
  bootable: z.enum(['true', 'false']),
  encrypted: z.boolean(),
  replication_status: text,
  consistencygroup_id: text,
  multiattach: z.boolean(),
  volume_image_metadata: texts.optional(),
  'os-vol-host-attr:host': text,
  'os-vol-tenant-attr:tenant_id': z.string(),
};
const volumeSchema = z.object({ volume: z.looseObject(volumeFields) });
const volumesSchema = z.object({
  volumes: z.array(z.looseObject(volumeFields)),
  volumes_links: z.array(z.object({ href: z.url(), rel: z.literal('next') })).optional(),
});
const snapshotFields = {
  id: z.string(),
  created_at: micros,
  updated_at: time,
  name: text,
  description: text,
  volume_id: z.string(),
  status: z.string(),
  size: z.int(),
  metadata: texts,
};
const snapshotSchema = z.object({
  snapshot: z.looseObject({
    ...snapshotFields,
    'os-extended-snapshot-attributes:progress': z.string(),
    'os-extended-snapshot-attributes:project_id': z.string(),
  }),
});
const snapshotsSchema = z.object({ snapshots: z.array(z.looseObject(snapshotFields)) });

async function create(volume: object): Promise<string> {
  const answer = await client.post(`${root}/volumes`, { volume });
  if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
  const { id } = volumeSchema.parse(answer.body).volume;
  await until(async () => (await show(id)).status === 'available', 'available');
  return id;
}

async function show(id: string) {
  return volumeSchema.parse((await client.get(`${root}/volumes/${id}`)).body).volume;
}

function act(id: string, body: unknown): Promise<ApiAnswer> {
  return client.post(`${root}/volumes/${id}/action`, body);
}

test.serial('a volume is created with its size alone, and with every key empty, as null or as text', async (t) => {
  const none = {
    name: '',
    description: null,
    availability_zone: '',
    volume_type: '',
    metadata: null,
    snapshot_id: '',
    source_volid: null,
    source_replica: null,
    imageRef: '',
    backup_id: '',
    consistencygroup_id: null,
    multiattach: false,
  };
  const ids = [await create({ size: 1 }), await create({ ...none, size: '1' })];
  for (const id of ids) {
    const { availability_zone: zone, ...volume } = await show(id);
    t.is(zone, 'nova');
    t.like(volume, { size: 1, name: null, metadata: {}, bootable: 'false', multiattach: false, attachments: [] });
    t.is(volume['os-vol-tenant-attr:tenant_id'], root.slice('/v3/'.length));
  }
  const hints = { 'OS-SCH-HNT:scheduler_hints': { same_host: ids } };
  const near = await client.post(`${root}/volumes`, { volume: { size: 1 }, ...hints });
  t.is(near.status, 202);
  t.is((await client.post(`${root}/volumes`, { volume: { size: 1 }, 'OS-SCH-HNT:scheduler_hints': null })).status, 202);
});

test.serial('each field of a volume has its type, in every version and in whatever state the volume is', async (t) => {
  await createType(await cluster.store(), { name: 'shared', requirements: { multiattach: 'yes' } });
  const id = await create({ size: 1, name: 'pvc-1', volume_type: 'shared', metadata: { 'csi.cluster': 'k8s' } });
  t.like(await show(id), { volume_type: 'shared', multiattach: true });
  for (const minor of [0, 27, 42, 50, 70]) {
    const { body } = await client.version(minor).get(`${root}/volumes/${id}`);
    t.true(volumeSchema.parse(body).volume.multiattach, String(minor));
  }
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb', hostName: 'h1' }, deadline);
  const [use, ...others] = (await show(id)).attachments;
  t.like(use, { id, volume_id: id, server_id: 'i-1', device: '/dev/vdb', host_name: 'h1' });
  t.deepEqual(others, []);
  t.true(Math.abs(Date.parse(`${use?.attached_at ?? ''}Z`) - Date.now()) < 120_000);
  const detail = await client.get(`${root}/volumes/detail?limit=10&name=pvc-1&status=in-use`);
  t.is(volumesSchema.parse(detail.body).volumes.length, 1);
  t.is((await client.version(42).post(`${root}/volumes/${id}/action`, { 'os-extend': { new_size: 2 } })).status, 202);
  await until(async () => (await show(id)).size === 2, 'extended');
});

test.serial(
  'pages of volumes have the link to the next one, with an address that can be asked for, and no other',
  async (t) => {
    for (const name of ['a', 'b', 'c']) await create({ size: 1, name });
    let path: string | undefined = `${root}/volumes/detail?limit=2&metadata=%7B%7D`;
    const names: (string | null)[] = [];
    while (path !== undefined) {
      const page: z.output<typeof volumesSchema> = volumesSchema.parse((await client.get(path)).body);
      names.push(...page.volumes.map(({ name }) => name));
      path = page.volumes_links?.[0]?.href.slice(client.url.length);
    }
    t.deepEqual(names, ['c', 'b', 'a']);
    const exact = await client.get(`${root}/volumes/detail?limit=3`);
    t.is(volumesSchema.parse(exact.body).volumes_links, undefined);
    const summary = z.object({ volumes: z.array(z.object({ id: z.string(), name: text, links })) });
    t.is(summary.parse((await client.get(`${root}/volumes`)).body).volumes.length, 3);
  },
);

test.serial('snapshots with force have their types, alone and in both lists', async (t) => {
  const id = await create({ size: 1 });
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
  const request = { volume_id: id, force: true, name: 'snap-1', description: 'by the CSI driver', metadata: {} };
  const answer = await client.post(`${root}/snapshots`, { snapshot: request });
  t.is(answer.status, 202);
  const { id: snapshot } = snapshotSchema.parse(answer.body).snapshot;
  const read = async () => snapshotSchema.parse((await client.get(`${root}/snapshots/${snapshot}`)).body).snapshot;
  await until(async () => (await read()).status === 'available', 'available');
  t.is((await read())['os-extended-snapshot-attributes:progress'], '100%');
  for (const list of ['/snapshots', '/snapshots/detail']) {
    const { body } = await client.get(`${root}${list}?volume_id=${id}&status=available&name=snap-1&limit=5`);
    t.like(snapshotsSchema.parse(body).snapshots[0], { id: snapshot, size: 1, volume_id: id });
  }
  const restored = await create({ size: 2, snapshot_id: snapshot, metadata: { from: 'snap-1' } });
  t.like(await show(restored), { size: 2, snapshot_id: snapshot });
});

test.serial('limits, notes about an image, deletions and errors have the form that clients read', async (t) => {
  const id = await create({ size: 1, description: 'data' });
  const limits = await client.get(`${root}/limits`);
  z.object({ limits: z.object({ absolute: z.record(z.string(), z.int()), rate: z.array(z.unknown()) }) }).parse(
    limits.body,
  );
  t.is((await act(id, { 'os-set_bootable': { bootable: true } })).status, 200);
  t.is((await show(id)).bootable, 'true');
  const meta = await act(id, { 'os-set_image_metadata': { metadata: { label: 'x' } } });
  t.deepEqual(z.object({ metadata: texts }).parse(meta.body).metadata, { label: 'x' });
  t.deepEqual((await show(id)).volume_image_metadata, { label: 'x' });
  t.is((await client.delete(`${root}/volumes/${id}?cascade=false`)).status, 202);
  await until(async () => (await client.get(`${root}/volumes/${id}`)).status === 404, 'deleted');
  const { body } = await client.get(`${root}/volumes/${id}`);
  t.is(z.object({ itemNotFound: z.object({ code: z.int(), message: z.string() }) }).parse(body).itemNotFound.code, 404);
});
