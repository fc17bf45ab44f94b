import { setTimeout as pause } from 'node:timers/promises';
import type { Figure } from '../figures.ts';
import type { SimulatedCluster } from './cluster.ts';
import { usedProcessor } from './redis-figures.ts';

/** Three reports of every node. */
const windowMs = 30_000;

/** The processor time of Redis while nodes report and nothing else happens. */
export async function idleFigures({ client }: SimulatedCluster): Promise<Figure[]> {
  const { redis } = client.store;
  const [before, begin] = [await usedProcessor(redis), performance.now()];
  await pause(windowMs);
  const seconds = (performance.now() - begin) / 1000;
  const used = (await usedProcessor(redis)) - before;
  return [{ what: 'Redis while the cluster is idle', value: (used / seconds) * 100, unit: '% of a core', aim: '≤ 3' }];
}
