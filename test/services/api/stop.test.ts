import test from 'ava';
import { silentLog } from '../../../lib/log.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { Api } from '../../../services/api/api.ts';
import { ApiClient } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';
import { FakeTarget } from '../../support/fake-target.ts';
import { until } from '../../support/until.ts';

const deadline = { deadlineMs: 60_000 };

class SlowTarget extends FakeTarget {
  readonly mayExport = Promise.withResolvers<void>();

  override async ensureExport(spec: Parameters<FakeTarget['ensureExport']>[0]): Promise<void> {
    await this.mayExport.promise;
    await super.ensureExport(spec);
  }
}

test('a stop ends requests that wait for a node; what they have begun continues', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const target = new SlowTarget();
  t.teardown(() => target.mayExport.resolve());
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { target });
  const commands = await cluster.commands();
  const { id } = await commands.create({ size: 1, userId: 'u', projectId: 'p1' }, deadline);
  const store = await cluster.store();
  const flags = cluster.flags({ api_listen: '127.0.0.1:0' });
  const api = new Api({ flags, store, log: silentLog, stopMs: 100 });
  await api.start();
  const client = new ApiClient(api.urls[0] ?? '');

  const attach = { 'os-attach': { instance_uuid: 'i-1', mountpoint: '/dev/vdb' } };
  const waiting = client.post(`/v3/p1/volumes/${id}/action`, attach);
  const statusOf = async () => (await volumesOf(store).lookup(id)).attachStatus;
  await until(async () => (await statusOf()) === 'attaching', 'the attach has begun');
  const began = performance.now();
  await api.stop();
  t.true(performance.now() - began < 30_000);
  const { status, body } = await waiting;
  t.is(status, 503);
  t.like(body, { serviceUnavailable: { code: 503 } });
  t.regex(JSON.stringify(body), /the node that serves this request is stopping/);
  target.mayExport.resolve();
  await until(async () => (await statusOf()) === 'attached', 'the attach has ended');
});
