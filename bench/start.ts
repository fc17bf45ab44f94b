import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { Blockstored } from '../test/support/blockstored.ts';
import { bundled } from '../test/support/bundle.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { type Figure, median, timesOf } from './figures.ts';
import { idleMs, memoryOf, uncachedBundle } from './memory.ts';

const runs = 9;

/**
 * Programs as they are shipped: from the start of the daemon to READY on a node without volumes, its memory once it is idle, and the command
 * line from its start to its end.
 */
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
    const yardstick = { what: 'node -e 0', value: bare };
    const commandLine = join(await bundled(), 'bin', 'blockstore');
    const help = median(await timesOf(runs, () => execa(commandLine, ['--help'])));
    const times: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const begin = performance.now();
      const daemon = await Blockstored.start(flags);
      times.push(performance.now() - begin);
      await daemon.stop();
    }
    const uncached = await uncachedBundle(join(directory, 'bundle'));
    const idle = await Blockstored.start(flags, {}, join(uncached, 'bin/blockstored'));
    await pause(idleMs);
    const { residentMiB, ownMiB } = await memoryOf(idle.pid);
    await idle.stop();
    return [
      {
        what: 'daemon start to READY, no volume',
        value: median(times),
        unit: 'ms',
        yardstick,
      },
      { what: 'blockstore --help', value: help, unit: 'ms', aim: '≤ 3× node -e 0', yardstick },
      { what: 'resident memory of an idle daemon', value: residentMiB, unit: 'MiB', aim: '≤ 90' },
      { what: 'of which not mapped from files', value: ownMiB, unit: 'MiB' },
    ];
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
