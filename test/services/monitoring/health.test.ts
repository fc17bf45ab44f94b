import test from 'ava';
import { z } from 'zod';
import { volumeStatuses } from '../../../lib/models/volume-state.ts';
import { healthOf } from '../../../services/monitoring/health.ts';
import type { NodeFigures } from '../../../services/node/figures.ts';
import { MonitoredDaemon } from '../../support/monitored-daemon.ts';
import { until } from '../../support/until.ts';

let daemon: MonitoredDaemon;
test.beforeEach(async () => {
  daemon = await MonitoredDaemon.make();
});
test.afterEach.always(() => daemon.close());

const healthSchema = z.object({
  status: z.string(),
  checks: z.record(z.string(), z.string()),
  failed: z.array(z.string()),
});

async function health(url: string, path = '/healthcheck') {
  const answer = await fetch(`${url}${path}`);
  return { http: answer.status, ...healthSchema.parse(await answer.json()) };
}

const live = async (url: string) => [
  (await fetch(`${url}/healthcheck?live`)).status,
  (await fetch(`${url}/healthcheck/live`)).status,
];

test.serial('a daemon is live at once, and ready when its start has ended', async (t) => {
  const release = daemon.driver.holdOnce('listVolumes');
  const started = daemon.start();
  await until(() => daemon.metricsUrl !== '', 'metrics are served');
  t.deepEqual(await live(daemon.metricsUrl), [200, 200]);
  const before = await until(async () => {
    const answer = await health(daemon.metricsUrl);
    return answer.checks['redis'] === 'reachable' && answer;
  }, 'the start waits for the storage');
  t.like(before, { http: 503, status: 'not ready', failed: ['daemon', 'lease', 'backends'] });
  t.is(before.checks['daemon'], 'starting');
  release();
  await started;
  for (const url of [daemon.apiUrl, daemon.metricsUrl]) {
    for (const path of ['/healthcheck', '/healthcheck/ready']) {
      t.like(await health(url, path), { http: 200, status: 'ready', failed: [] });
    }
    t.is((await fetch(`${url}/healthcheck`, { method: 'HEAD' })).status, 200);
  }
  t.is((await fetch(`${daemon.metricsUrl}/healthcheck`, { method: 'POST' })).status, 405);
  t.is((await fetch(`${daemon.metricsUrl}/other`)).status, 404);
});

test.serial('without Redis a daemon is live and not ready, and names Redis; then it is ready again', async (t) => {
  await daemon.start();
  await daemon.server.down('SIGKILL');
  await until(async () => (await health(daemon.apiUrl)).http === 503, 'not ready');
  for (const url of [daemon.apiUrl, daemon.metricsUrl]) {
    const { failed, checks } = await health(url);
    t.deepEqual(failed, ['redis']);
    t.is(checks['redis'], 'unreachable');
    t.deepEqual(await live(url), [200, 200]);
    const text = await (await fetch(`${url}/healthcheck`)).text();
    t.false(text.includes(daemon.server.socket) || text.includes('n1'), 'it tells nothing of the installation');
  }
  t.is(await daemon.metric('blockstore_redis_up'), 0);
  t.is(await daemon.metric('blockstore_topic_length'), undefined, 'what is not known has no value');
  await daemon.server.up();
  await until(async () => (await health(daemon.apiUrl)).http === 200, 'ready again');
});

test.serial('a Redis that hangs makes a daemon not ready within seconds', async (t) => {
  await daemon.start();
  daemon.server.signal('SIGSTOP');
  try {
    await until(async () => (await health(daemon.metricsUrl)).failed.includes('redis'), 'not ready', 30_000);
    t.deepEqual(await live(daemon.metricsUrl), [200, 200]);
  } finally {
    daemon.server.signal('SIGCONT');
  }
  await until(async () => (await health(daemon.metricsUrl)).http === 200, 'ready again');
});

const figures: NodeFigures = {
  volumes: new Map(volumeStatuses.map((status) => [status, 0])),
  operations: new Map(),
  backends: [],
  served: new Set(['lvm']),
  exports: new Map(),
  restarts: new Map(),
  problems: 0,
  leaseAgeMs: 5000,
  isCatchingUp: false,
};
const redis = { latency: 0, topicLength: 0, tasks: 0, oldestTaskAge: 0, allocated: new Map<string, number>() };

test('a lease that is old or lost, and a node that serves no backend, are not ready', (t) => {
  const check = (more: Partial<NodeFigures>) =>
    healthOf({ phase: 'running', store: undefined, figures: { ...figures, ...more } }, redis, { leaseMs: 60_000 });
  t.like(check({}), { status: 'ready', failed: [] });
  t.like(check({ leaseAgeMs: 61_000 }), { failed: ['lease'], checks: { lease: 'expired' } });
  t.like(check({ leaseAgeMs: undefined }), { failed: ['lease'], checks: { lease: 'lost' } });
  t.like(check({ served: new Set() }), { failed: ['backends'] });
  t.like(check({ isCatchingUp: true }), { status: 'ready', checks: { records: 'to be compared with storage' } });
});
