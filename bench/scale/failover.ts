import { rename } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { RedisServer } from '../../test/support/redis-server.ts';
import { until } from '../../test/support/until.ts';
import type { Store } from '../../lib/redis/store.ts';
import { makeClient } from '../client.ts';
import type { Figure } from '../figures.ts';
import type { SimulatedCluster } from './cluster.ts';
import { nodeName } from './layout.ts';
import { usedProcessor } from './redis-figures.ts';

const syncMs = 300_000;
const recoveryMs = 600_000;
const pollMs = 500;

/** The primary dies, and its replica takes its place: under the same path, as a service address would lead to it. */
export async function failoverFigures(cluster: SimulatedCluster): Promise<Figure[]> {
  const { server, port, layout } = cluster;
  const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(port));
  const { store, close } = await makeClient(replica.url);
  try {
    await until(async () => /^master_link_status:up/m.test(await store.redis.info('replication')), 'in sync', syncMs);
    const before = await cluster.counts();
    const begin = performance.now();
    await server.down('SIGKILL');
    await store.redis.replicaof('NO', 'ONE');
    const promoted = await timeOf(store);
    const processor = await usedProcessor(store.redis);
    await rename(replica.socket, server.socket);
    const seconds = () => (performance.now() - begin) / 1000;
    const expired = new Set<string>();
    let safeS = 0;
    for (;;) {
      const { up, renewed } = await leases(store, layout.nodes, promoted);
      for (const [node, isUp] of up) if (!isUp) expired.add(node);
      if (safeS === 0 && renewed === layout.nodes) safeS = seconds();
      const { caughtUp } = await cluster.counts();
      if (safeS > 0 && caughtUp - before.caughtUp >= layout.nodes) break;
      if (seconds() * 1000 > recoveryMs) {
        throw new Error(`after a failover ${caughtUp - before.caughtUp} nodes have caught up in ${seconds()} s`);
      }
      await pause(pollMs);
    }
    const caughtUpS = seconds();
    const after = await cluster.counts();
    const nodesS = after.processorS - before.processorS;
    return [
      { what: 'failover until every lease is renewed', value: safeS, unit: 's', aim: '≤ 60' },
      { what: 'failover until every node has caught up', value: caughtUpS, unit: 's', aim: '≤ 60' },
      { what: 'processor time of Redis for it', value: (await usedProcessor(store.redis)) - processor, unit: 's' },
      { what: 'processor time of each node for it', value: (nodesS / layout.nodes) * 1000, unit: 'ms' },
      {
        what: 'leases that a failover loses',
        value: expired.size + after.leasesLost - before.leasesLost,
        unit: '',
        aim: '0',
        yardstick: { what: 'nodes', value: layout.nodes },
      },
    ];
  } finally {
    await close();
    await replica.stop();
  }
}

/** Which leases exist, and how many nodes have reported since. */
async function leases(
  { redis, keys }: Store,
  nodes: number,
  since: number,
): Promise<{ up: Map<string, boolean>; renewed: number }> {
  const names = Array.from({ length: nodes }, (_, node) => nodeName(node));
  const [held, reported] = await Promise.all([
    Promise.all(names.map((name) => redis.exists(keys.lease(name)))),
    Promise.all(names.map((name) => redis.hget(keys.node(name), 'reportTime'))),
  ]);
  return {
    up: new Map(names.map((name, index) => [name, held[index] === 1])),
    renewed: reported.filter((time) => Number(time) > since).length,
  };
}

async function timeOf({ redis }: Store): Promise<number> {
  const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
  return seconds * 1000 + micros / 1000;
}
