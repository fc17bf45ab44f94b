import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { Blockstored } from '../test/support/blockstored.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { residentMiB } from './create-fake.ts';
import { type Figure, median, timesOf } from './figures.ts';

const runs = 5;

/** From the start of the process to READY on a node without volumes, and what the daemon then takes of memory. */
export async function benchStart(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-bench-'));
  const server = await RedisServer.start();
  const flags = {
    storage_name: 'bench',
    fake_storage: 'true',
    state_dir: directory,
    redis_url: server.url,
    log_format: 'human',
  };
  try {
    const bare = median(await timesOf(runs, () => execa('node', ['-e', '0'], { preferLocal: true })));
    const times: number[] = [];
    const memory: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const begin = performance.now();
      const daemon = await Blockstored.start(flags);
      times.push(performance.now() - begin);
      memory.push(await residentMiB(daemon.pid));
      await daemon.stop();
    }
    return [
      {
        what: 'daemon start to READY, no volume',
        value: median(times),
        unit: 'ms',
        yardstick: { what: 'node -e 0', value: bare },
      },
      { what: 'resident memory of an idle daemon', value: median(memory), unit: 'MiB' },
    ];
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
