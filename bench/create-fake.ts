import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { Blockstored } from '../test/support/blockstored.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { deadline, makeClient, newVolume } from './client.ts';
import { type Figure, median, perSecond, timesOf } from './figures.ts';
import { memoryOf } from './memory.ts';
import { bareRoundTrips } from './yardstick.ts';

const runs = 5;
const alone = 1000;
const together = 20_000;
const listed = 100_000;

/**
 * create → available with the fake driver: this process is the client, the daemon is another one, Redis (append-only) a third. The
 * yardstick is the same number of bare scripts and stream reads with nothing in them.
 */
export async function benchFake(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-bench-'));
  const server = await RedisServer.start();
  const daemon = await Blockstored.start({
    storage_name: 'bench',
    fake_storage: 'true',
    slots_per_shelf: '255',
    state_dir: directory,
    redis_url: server.url,
  });
  const { store, commands, close } = await makeClient(server.url);
  try {
    const create = () => commands.create(newVolume, deadline);
    const empty = await usedMemory(store.redis);
    await timesOf(500, create); // warm
    const bare = await bareRoundTrips(server.socket, alone, runs);
    const one = median(await timesOf(alone * runs, create));
    const many: number[] = [];
    for (let run = 0; run < runs; run += 1) many.push(await perSecond(together / runs, 32, create));
    const count = async () => store.redis.zcard(store.keys.volumes());
    while ((await count()) < listed) await perSecond(5000, 64, create);
    const memory = ((await usedMemory(store.redis)) - empty) / (await count());
    return [
      {
        what: 'create → available, one at a time',
        value: one,
        unit: 'ms',
        aim: '≤ 2×',
        yardstick: { what: 'bare scripts and streams', value: bare.ms },
      },
      {
        what: 'create → available, 32 at once',
        value: median(many),
        unit: '/s',
        aim: '≥ 0.35×',
        yardstick: { what: 'bare scripts and streams', value: bare.perSecond },
      },
      ...(await benchList(store)),
      { what: 'Redis memory per volume', value: memory, unit: 'bytes', aim: '≤ 1,024' },
      { what: 'resident memory of the daemon after it', value: (await memoryOf(daemon.pid)).residentMiB, unit: 'MiB' },
    ];
  } finally {
    await close();
    await daemon.kill();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

type Store = Awaited<ReturnType<typeof makeClient>>['store'];

/** Pages from all over the index, against the bare reads of 100 hashes in one pipeline. */
async function benchList(store: Store): Promise<Figure[]> {
  const { volumesOf } = await import('../lib/models/volume.ts');
  const records = volumesOf(store);
  let marker: string | undefined;
  const times: number[] = [];
  for (let page = 0; page < 200; page += 1) {
    const begin = performance.now();
    const { next } = await records.page(store.keys.volumes(), {
      limit: 100,
      ...(marker === undefined ? {} : { marker }),
    });
    times.push(performance.now() - begin);
    marker = next;
  }
  const ids = await store.redis.zrange(store.keys.volumes(), '0', '99');
  const bare = await timesOf(200, async () => {
    const pipeline = store.redis.pipeline();
    for (const id of ids) pipeline.hgetall(store.keys.volume(id));
    await pipeline.exec();
  });
  return [
    {
      what: 'list page of 100 out of 100,000',
      value: median(times),
      unit: 'ms',
      aim: '≤ 3',
      yardstick: { what: '100 bare HGETALL', value: median(bare) },
    },
  ];
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}
