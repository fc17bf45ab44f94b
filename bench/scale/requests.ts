import { BlockstoreError } from '../../lib/errors.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import { claimShelf } from '../../lib/redis/scripts.ts';
import { deadline, newVolume } from '../client.ts';
import { type Figure, median, perSecond, timesOf } from '../figures.ts';
import type { SimulatedCluster } from './cluster.ts';
import { nodeName } from './layout.ts';

const alone = 1000;
const together = 4000;
const pages = 200;
const shelves = 200;
const failures = 50;

/** Requests of one client, while the cluster is otherwise idle. */
export async function requestFigures({ client, layout }: SimulatedCluster): Promise<Figure[]> {
  const { commands, store } = client;
  const create = () => commands.create(newVolume, deadline);
  await timesOf(200, create); // warm
  const one = median(await timesOf(alone, create));
  const many = await perSecond(together, 32, create);
  const page = median(await pageTimes(store, layout.nodes * layout.perNode));
  const node = nodeName(0);
  const token = (await store.redis.hget(store.keys.node(node), 'token')) ?? '';
  const claim = () => claimShelf(store, { node, token, first: 1, last: 65_534 });
  const shelf = median(await timesOf(shelves, claim));
  const refused = median(
    await timesOf(failures, () => refusal(() => commands.create({ ...newVolume, size: 1000 }, deadline))),
  );
  return [
    { what: 'create → available, one at a time', value: one, unit: 'ms', aim: '≤ 1.5×' },
    { what: 'create → available, 32 at once', value: many, unit: '/s', aim: '≥ 0.67×' },
    { what: 'list page of 100', value: page, unit: 'ms', aim: '≤ 1.5×' },
    { what: 'claim of a shelf', value: shelf, unit: 'ms', aim: '≤ 1.5×' },
    { what: 'create that no backend has space for', value: refused, unit: 'ms', aim: '≤ 1.5×' },
  ];
}

/** Pages that begin anywhere in the index of all volumes. */
async function pageTimes(store: Store, total: number): Promise<number[]> {
  const index = store.keys.volumes();
  const markers: string[] = [];
  for (let page = 0; page < pages; page += 1) {
    const rank = String(Math.floor(Math.random() * (total - 100)));
    const [id = '', time = ''] = await store.redis.zrange(index, rank, rank, 'WITHSCORES');
    markers.push(`${time} ${id}`);
  }
  const records = volumesOf(store);
  return timesOf(pages, (page) => records.page(index, { limit: 100, marker: markers[page] ?? '' }));
}

/** Throws where the work succeeds, or fails otherwise. */
async function refusal(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BlockstoreError && error.code === 'NoSpace') return;
    throw error;
  }
  throw new Error('a backend has space for a volume of 1,000 GiB');
}
