import path from 'node:path';
import { execa } from 'execa';
import { bundled } from '../../test/support/bundle.ts';
import { type Figure, median, timesOf } from '../figures.ts';
import type { SimulatedCluster } from './cluster.ts';
import { nodeName } from './layout.ts';

const runs = 7;

/** Commands as an administrator runs them: processes of the programs as they are shipped. */
export async function shellFigures({ server, layout }: SimulatedCluster): Promise<Figure[]> {
  const blockstore = path.join(await bundled(), 'bin', 'blockstore');
  const node = nodeName(Math.floor(layout.nodes / 2));
  const commands: [string, string[]][] = [
    ['node list', ['node', 'list']],
    ['status', ['status']],
    ['volume list of 10,000 volumes', ['volume', 'list', '--limit', '10000']],
    [`volume list of a node with ${layout.perNode} volumes`, ['volume', 'list', '--node', node]],
  ];
  const figures: Figure[] = [];
  for (const [what, words] of commands) {
    const run = () =>
      execa(blockstore, [...words, '--redis-url', server.url], { env: { BLOCKSTORE_CONFIG: '/dev/null' } });
    await run(); // its files are in memory
    figures.push({ what: `blockstore ${what}`, value: median(await timesOf(runs, run)), unit: 'ms', aim: '≤ 1,000' });
  }
  return figures;
}
