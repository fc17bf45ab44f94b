/** One of the processes that share the simulated nodes: the product's own service for each, over connections of its own. */
import { z } from 'zod';
import { Semaphore } from '../../lib/concurrency.ts';
import { loadFlags } from '../../lib/flags/load.ts';
import type { Log } from '../../lib/log.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { BlockStore } from '../../services/node/block-store.ts';
import { logLines } from '../../services/node/catch-up.ts';
import type { EverySecond } from '../../services/node/every-second.ts';
import { backendName, nodeName } from './layout.ts';
import { SimulatedTarget, storageOf } from './storage.ts';

const ordersSchema = z.object({
  redisUrl: z.string(),
  /** Numbers of its nodes. */
  nodes: z.array(z.number()),
  layout: z.object({ nodes: z.number(), perNode: z.number() }),
});

/** Nodes that start at a time in one process. */
const concurrency = 8;

/** Plain timers: 2,000 tasks of node-cron in one process would cost more than the nodes. */
const everySecond: EverySecond = (tick) => {
  const timer = setInterval(() => void tick(), 1000);
  return { destroy: () => clearInterval(timer) };
};

const counts = { caughtUp: 0, leasesLost: 0, errors: 0, lastError: '' };
const log: Log = {
  error: (message) => {
    // Redis that is away is part of a failover.
    if (/^Redis at .* is unreachable/.test(message)) return;
    counts.errors += 1;
    counts.lastError = message;
  },
  warn: (message) => {
    if (message.startsWith(logLines.leaseLost)) counts.leasesLost += 1;
  },
  info: (message) => {
    if (message === logLines.caughtUp) counts.caughtUp += 1;
  },
  debug: () => {},
};

async function startNode(node: number, { redisUrl, layout }: z.infer<typeof ordersSchema>): Promise<void> {
  const { flags } = loadFlags({ embedded: { redis_url: redisUrl, storage_name: nodeName(node) } });
  const connection = await connect(flags, log);
  const service = new BlockStore({
    flags,
    holder: `process ${process.pid}`,
    store: new Store(connection, flags.redis_prefix),
    backends: [{ name: backendName, driver: await storageOf(node, layout), target: new SimulatedTarget() }],
    log,
    everySecond,
    onFenced: (error) => log.error(error.message),
  });
  await service.start();
}

const orders = ordersSchema.parse(JSON.parse(process.argv[2] ?? ''));
process.on('disconnect', () => process.exit());
const send = () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ ...counts, processorS: (user + system) / 1e6 });
};
process.on('message', send);
const starting = new Semaphore(concurrency);
await Promise.all(orders.nodes.map((node) => starting.run(() => startNode(node, orders))));
send();
