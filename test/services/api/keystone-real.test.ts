import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { z } from 'zod';
import { revokeRole } from '../../../lib/client/identity/assignments.ts';
import { startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { LocalApi, testPassword } from '../../support/identity.ts';
import { until } from '../../support/until.ts';

const listSchema = z.object({ volumes: z.array(z.looseObject({ name: z.string() })) });
const callerSchema = z.object({
  caller: z.object({ user_id: z.string(), project_id: z.string(), roles: z.array(z.string()) }),
});

test('an installation lets the users of another one in, by its Identity v3', async (t) => {
  const [cluster, other] = await Promise.all([Cluster.start(), Cluster.start()]);
  t.teardown(() => Promise.all([cluster.close(), other.close()]));
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' });
  const identity = await LocalApi.start(other);
  t.teardown(() => identity.close());
  await identity.member('blockstore', ['service']);
  const file = join(cluster.directory, 'password');
  await writeFile(file, `${testPassword}\n`, { mode: 0o600 });
  const { api, client } = await startApi(cluster, {
    auth_strategy: 'keystone',
    keystone_url: `${identity.client.url}/identity/v3`,
    keystone_password_file: file,
    keystone_project: 'blockstore',
    keystone_cache_time: '1',
  });
  t.teardown(() => api.stop());

  const [ann, bob] = [await identity.member('ann', ['member', 'reader']), await identity.member('bob', ['reader'])];
  const as = async (one: typeof ann) => {
    const { headers } = await identity.token(
      { id: one.user, password: testPassword },
      { project: { id: one.project } },
    );
    return client.with({ 'x-auth-token': headers.get('x-subject-token') ?? '' });
  };
  const [annHere, bobHere] = [await as(ann), await as(bob)];
  t.deepEqual(callerSchema.parse((await annHere.get('/v3/blockstore/caller')).body).caller, {
    user_id: ann.user,
    project_id: ann.project,
    roles: ['reader', 'member'],
  });
  const volumes = `/v3/${ann.project}/volumes`;
  t.is((await annHere.post(volumes, { volume: { size: 1, name: 'data' } })).status, 202);
  t.like(listSchema.parse((await annHere.get(volumes)).body).volumes, [{ name: 'data' }]);
  t.deepEqual(listSchema.parse((await bobHere.get('/v3/volumes')).body).volumes, []);
  t.is((await bobHere.post('/v3/volumes', { volume: { size: 1 } })).status, 403);
  t.is((await bobHere.get(volumes)).status, 400);
  t.is((await client.with({ 'x-auth-token': 'bst_forged' }).get('/v3/volumes')).status, 401);

  await revokeRole(identity.store, ann.user, ann.project, 'member');
  await until(async () => (await annHere.get(volumes)).status === 401, 'the token was revoked with the role');
  await identity.close();
  const unknown = await client.with({ 'x-auth-token': 'another' }).get(volumes);
  t.is(unknown.status, 503);
});
