import test from 'ava';
import { z } from 'zod';
import { revokeRole } from '../../../../lib/client/identity/assignments.ts';
import type { ApiClient } from '../../../support/api.ts';
import { Cluster } from '../../../support/cluster.ts';
import { OwnAddressTarget } from '../../../support/fake-target.ts';
import { LocalApi, testPassword as password } from '../../../support/identity.ts';
import { until } from '../../../support/until.ts';

const instance = '5e5c0d3f-3c55-4b8e-9b9d-2f4a1f6f0a01';
const connector = { host: 'h1', initiator: 'iqn.1993-08.org.debian:01:abc' };
const attachmentSchema = z.object({ attachment: z.object({ id: z.string() }) });
const volumeSchema = z.object({ volume: z.object({ id: z.string(), status: z.string() }) });

test('a compute service ends attachments for a user by its own token, as long as it has the role', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { target: new OwnAddressTarget() });
  const local = await LocalApi.start(cluster);
  t.teardown(() => local.close());
  const ann = await local.member('ann', ['member']);
  const nova = await local.member('nova', ['service']);
  const user = (await local.as(ann)).version(70);
  const { body } = await user.post('/v3/volumes', { volume: { size: 1 } });
  const { id } = volumeSchema.parse(body).volume;
  const show = async () => volumeSchema.parse((await user.get(`/v3/volumes/${id}`)).body).volume;
  await until(async () => (await show()).status === 'available', 'the volume is available');
  const attach = async () => {
    const attachment = { volume_uuid: id, instance_uuid: instance, connector };
    const made = attachmentSchema.parse((await user.post('/v3/attachments', { attachment })).body).attachment.id;
    t.is((await user.post(`/v3/attachments/${made}/action`, { 'os-complete': null })).status, 204);
    return made;
  };
  const end = async (made: string, client: ApiClient) => (await client.delete(`/v3/attachments/${made}`)).status;
  const scope = { project: { id: nova.project } };
  const { headers } = await local.token({ id: nova.user, password }, scope);
  const token = headers.get('x-subject-token') ?? '';

  const first = await attach();
  t.is(await end(first, user), 409);
  t.is(await end(first, user.with({ 'x-service-token': 'forged' })), 401);
  t.is(await end(first, local.client.version(70).with({ 'x-service-token': token })), 401);
  t.is(await end(first, local.client.version(70).with({ 'x-auth-token': token })), 403);
  t.is(await end(first, user.with({ 'x-service-token': token })), 200);

  const second = await attach();
  await revokeRole(local.store, nova.user, nova.project, 'service');
  t.is(await end(second, user.with({ 'x-service-token': token })), 401);
  t.is((await show()).status, 'in-use');
});
