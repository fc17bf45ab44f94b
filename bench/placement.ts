import { VolumeCommands } from '../lib/client/volume-commands.ts';
import { RequestClient } from '../lib/client/request-client.ts';
import { createType } from '../lib/client/types.ts';
import { Cluster } from '../test/support/cluster.ts';
import { fakeNode } from '../test/support/records.ts';
import { newVolume } from './client.ts';
import { type Figure, median, timesOf } from './figures.ts';

const backends = 1000;
const creates = 500;
const gibibyte = 2 ** 30;

/**
 * The choice among 1,000 backends, with the change set that records the volume and reserves its space: no node carries it out. The
 * yardstick is one script with nothing in it.
 */
export async function benchPlacement(): Promise<Figure[]> {
  const cluster = await Cluster.start();
  try {
    const store = await cluster.store();
    for (let node = 1; node <= backends; node += 1) {
      // The one with the least space is the only one of its pool.
      const capacityBytes = (2 * backends - node) * gibibyte;
      await fakeNode(store, `n${node}`, { backends: [{ capacityBytes, pool: node === backends ? 'last' : 'fake' }] });
    }
    const { id: type } = await createType(store, { name: 'last', requirements: { pool: 'last' } });
    const newCommands = () => new VolumeCommands(store, new RequestClient(store), 'volume');
    const kept = newCommands();
    const bare = median(await timesOf(creates, () => store.redis.eval('return 1', 0)));
    const measured = {
      'placement among 1,000 backends': () => kept.create(newVolume),
      'the first one of a process': () => newCommands().create(newVolume),
      'of a type that only the last backend has': () => kept.create({ ...newVolume, size: 0, type }),
    };
    const figures: Figure[] = [];
    for (const [what, create] of Object.entries(measured)) {
      const value = median(await timesOf(creates, create));
      figures.push({ what, value, unit: 'ms', aim: '≤ 5', yardstick: { what: 'a bare script', value: bare } });
    }
    return figures;
  } finally {
    await cluster.close();
  }
}
