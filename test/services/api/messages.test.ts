import test from 'ava';
import { z } from 'zod';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { Cluster } from '../../support/cluster.ts';
import { type ApiClient, startApi } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { until } from '../../support/until.ts';

const messageSchema = z.looseObject({ id: z.string(), user_message: z.string(), event_id: z.string() });
const listSchema = z.object({ messages: z.array(messageSchema) });
const volumeSchema = z.object({ volume: z.looseObject({ id: z.string(), status: z.string() }) });

test('why a volume is in error is a message of its project, and goes with the volume', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const driver = new FakeDriver();
  driver.createVolume = () => Promise.reject(new Error('the disk of rack 7 is gone'));
  await cluster.node('n1', { num_shell_tries: '1' }, { driver });
  const { api, client: plain } = await startApi(cluster);
  const roles = await startApiWithRoles(cluster);
  t.teardown(() => Promise.all([api.stop(), roles.close()]));
  const client = plain.version(5);
  const made = await client.post('/v3/p1/volumes', { volume: { size: 1 } });
  const { id } = volumeSchema.parse(made.body).volume;
  const status = async () => volumeSchema.parse((await client.get(`/v3/p1/volumes/${id}`)).body).volume.status;
  await until(async () => (await status()) === 'error', 'the volume is in error');

  const list = async (path: string, from: ApiClient = client) => listSchema.parse((await from.get(path)).body).messages;
  const [message, ...others] = await list('/v3/p1/messages');
  t.like(message, { id, resource_uuid: id, resource_type: 'VOLUME', message_level: 'ERROR' });
  t.regex(message?.user_message ?? '', /the disk of rack 7 is gone/);
  t.deepEqual(others, []);
  t.deepEqual(await list('/v3/p2/messages'), []);
  t.deepEqual(await list('/v3/p1/messages?resource_type=SNAPSHOT'), []);
  t.is((await list(`/v3/p1/messages?resource_uuid=${id}&limit=1`)).length, 1);
  t.is((await client.get(`/v3/p1/messages/${id}`)).status, 200);

  const member = roles.as('p1', 'member').version(5);
  const [seen] = await list('/v3/p1/messages', member);
  t.notRegex(seen?.user_message ?? '', /rack 7/, 'what only concerns the storage is for administrators');
  t.is((await roles.as('p2', 'member').version(5).get(`/v3/p2/messages/${id}`)).status, 404);
  t.is((await member.delete(`/v3/p1/messages/${id}`)).status, 400);
  t.is((await plain.get('/v3/p1/messages')).status, 404, 'before version 3.3');

  await client.delete(`/v3/p1/volumes/${id}`);
  await until(async () => (await list('/v3/p1/messages')).length === 0, 'the message is gone');
  t.is((await client.get(`/v3/p1/messages/${id}`)).status, 404);
});
