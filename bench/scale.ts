import { programOptions, refuse, wholeNumber } from '../tools/program-options.ts';
import { type Figure, table } from './figures.ts';
import { SimulatedCluster } from './scale/cluster.ts';
import { failoverFigures } from './scale/failover.ts';
import { idleFigures } from './scale/idle.ts';
import { requestFigures } from './scale/requests.ts';
import { type ScriptCosts, scriptCosts, scriptTable } from './scale/scripts.ts';
import { shellFigures } from './scale/shell.ts';

const smallNodes = 10;
const parts: Readonly<Record<string, (cluster: SimulatedCluster) => Promise<Figure[]>>> = {
  idle: idleFigures,
  requests: requestFigures,
  shell: shellFigures,
  failover: failoverFigures,
};
const partNames = ['idle', 'requests', 'shell', 'scripts', 'failover'];

const usage = `npm run bench:scale [-- --nodes 1000 --volumes 1000000 --parts ${partNames.join(',')}]
what a large cluster costs, against one of ${smallNodes} nodes with as many volumes each in the same run. Nodes are the product's own, over
storage that only remembers; Redis is a real one with an append-only file, and a replica for the failover. Prints the table of figures
and the table of scripts.`;
const values = programOptions(usage, {
  nodes: { type: 'string', default: '1000' },
  volumes: { type: 'string', default: '1000000' },
  parts: { type: 'string', default: partNames.join(',') },
});
const nodes = wholeNumber(usage, 'nodes', values.nodes, 1);
const perNode = Math.round(wholeNumber(usage, 'volumes', values.volumes, 1) / nodes);
const asked = values.parts.split(',');
const unknown = asked.filter((name) => !partNames.includes(name));
if (unknown.length > 0) refuse(usage, `--parts: ${unknown.join(', ')} is not one of ${partNames.join(', ')}`);

interface Measured {
  figures: Figure[];
  costs: ScriptCosts;
}

const small = await measure(smallNodes);
const large = await measure(nodes);
console.log(`${nodes} nodes with ${perNode} volumes each; yardstick: ${smallNodes} such nodes\n`);
console.log(table(large.figures.map((figure, index) => against(figure, small.figures[index]))));
if (large.costs.size > 0) console.log(`\n${scriptTable(small.costs, large.costs)}`);

async function measure(count: number): Promise<Measured> {
  const begin = performance.now();
  const note = (text: string) =>
    console.error(`${count} nodes, ${Math.round((performance.now() - begin) / 1000)} s: ${text}`);
  // A part that fails later leaves the figures of those before it.
  const noteAll = (figures: readonly Figure[]) => {
    for (const { what, value, unit } of figures) note(`${what}: ${value.toPrecision(3)} ${unit}`);
  };
  const cluster = await SimulatedCluster.start({ nodes: count, perNode }, note);
  try {
    const figures = [...cluster.figures];
    noteAll(figures);
    let costs: ScriptCosts = new Map();
    for (const name of partNames.filter((part) => asked.includes(part))) {
      note(name);
      if (name === 'scripts') {
        costs = await scriptCosts(cluster);
        for (const [script, cost] of costs) note(`${script}: ${Math.round(cost)} µs`);
      }
      const found = (await parts[name]?.(cluster)) ?? [];
      noteAll(found);
      figures.push(...found);
    }
    note('end');
    return { figures, costs };
  } finally {
    await cluster.stop();
  }
}

function against(figure: Figure, other: Figure | undefined): Figure {
  if (other === undefined || figure.yardstick) return figure;
  return { ...figure, yardstick: { what: `${smallNodes} nodes`, value: other.value } };
}
