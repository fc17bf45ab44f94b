import test from 'ava';
import { MonitoredDaemon } from '../../support/monitored-daemon.ts';
import { until } from '../../support/until.ts';

let daemon: MonitoredDaemon;
test.beforeEach(async () => {
  daemon = await MonitoredDaemon.start();
});
test.afterEach.always(() => daemon.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 120_000 };

test.serial('metrics show volumes by status and operations while they are under way and afterwards', async (t) => {
  const { commands, close } = await daemon.client();
  t.teardown(close);
  const release = daemon.driver.holdOnce('createVolume');
  const created = commands.create(newVolume, deadline);
  await until(async () => (await daemon.metric('blockstore_volumes', 'status="creating"')) === 1, 'creating');
  t.is(await daemon.metric('blockstore_volumes', 'status="available"'), 0);
  t.is(await daemon.metric('blockstore_operations', 'operation="create"'), 1);
  await until(async () => (await daemon.metric('blockstore_tasks')) === 1, 'the record has a task');
  release();
  const { id } = await created;
  t.is(await daemon.metric('blockstore_volumes', 'status="creating"'), 0);
  t.is(await daemon.metric('blockstore_volumes', 'status="available"'), 1);
  t.is(await daemon.metric('blockstore_operations', 'operation="create"'), 0);
  const count = 'blockstore_operation_duration_seconds_count';
  t.is(await daemon.metric(count, 'operation="create",outcome="completed"'), 1);

  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: [] }, deadline);
  t.is(await daemon.metric('blockstore_volumes', 'status="in-use"'), 1);
  await commands.detach(id, deadline);
  const hold = daemon.driver.holdOnce('deleteVolume');
  const deleted = commands.delete(id, deadline);
  await until(async () => (await daemon.metric('blockstore_volumes', 'status="deleting"')) === 1, 'deleting');
  t.is(await daemon.metric('blockstore_volumes', 'status="available"'), 0);
  hold();
  await deleted;
  t.is(await daemon.metric('blockstore_volumes', 'status="deleting"'), 0);

  daemon.driver.failOnce('createVolume', new Error('broken'));
  await t.throwsAsync(commands.create(newVolume, deadline));
  t.is(await daemon.metric(count, 'operation="create",outcome="failed"'), 1);
});

test.serial('exports that do not run and were started again show in metrics', async (t) => {
  const { commands, close } = await daemon.client();
  t.teardown(close);
  const { id } = await commands.create(newVolume, deadline);
  await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: [] }, deadline);
  const running = () => daemon.metric('blockstore_exports_running', 'backend="thin"');
  await until(async () => (await running()) === 1, 'the export runs');
  daemon.target.exportFault = new Error('broken');
  daemon.target.exports.delete(id);
  await until(async () => (await running()) === 0, 'it does not run');
  t.is(await daemon.metric('blockstore_exports_expected', 'backend="thin"'), 1);
  daemon.target.exportFault = undefined;
  daemon.target.restarts = 2;
  await until(async () => (await running()) === 1, 'it runs again');
  t.is(await daemon.metric('blockstore_export_restarts_total', 'backend="thin"'), 2);
});

test.serial('requests to the API show by call and class of status; ids and paths make no labels', async (t) => {
  const { apiUrl } = daemon;
  const get = async (path: string) => (await fetch(`${apiUrl}${path}`)).status;
  const ask = async (word: string) => {
    t.is(await get('/v3/project/volumes'), 200);
    t.is(await get(`/v3/${word}/volumes/${word}`), 404);
    t.is(await get(`/${word}`), 404);
    t.is(await get(`/v3/project/volumes?${word}=1`), 400);
  };
  await ask('first');
  const count = 'blockstore_api_request_duration_seconds_count';
  t.is(await daemon.metric(count, 'call="volume:list",status="2xx"'), 1);
  t.is(await daemon.metric(count, 'call="volume:list",status="4xx"'), 1);
  t.is(await daemon.metric(count, 'call="volume:show",status="4xx"'), 1);
  t.is(await daemon.metric(count, 'call="none",status="4xx"'), 1);
  const text = await daemon.metrics();
  const names = (of: string) => {
    const lines = of.split('\n').filter((line) => line.startsWith('blockstore_api_'));
    return lines.map((line) => line.slice(0, line.lastIndexOf(' '))).toSorted();
  };
  for (let index = 0; index < 20; index += 1) await ask(`word-${index}`);
  const later = await daemon.metrics();
  t.deepEqual(names(later), names(text));
  t.notRegex(later, /word-/);
});

test.serial('the API serves metrics to this machine alone', async (t) => {
  const { apiUrl } = daemon;
  const answer = await fetch(`${apiUrl}/metrics`);
  t.is(answer.status, 200);
  t.regex(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  t.regex(await answer.text(), /^blockstore_ready 1$/m);
  for (const header of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via']) {
    t.is((await fetch(`${apiUrl}/metrics`, { headers: { [header]: 'for=192.0.2.1' } })).status, 404, header);
  }
});

test.serial('fifty requests at once cost Redis no more than a few reads', async (t) => {
  const { store, close } = await daemon.client();
  t.teardown(close);
  const calls = async () => Number(/cmdstat_xlen:calls=(\d+)/.exec(await store.redis.info('commandstats'))?.[1] ?? 0);
  const before = await calls();
  await Promise.all(Array.from({ length: 50 }, () => daemon.metrics()));
  t.true((await calls()) - before <= 3);
});
