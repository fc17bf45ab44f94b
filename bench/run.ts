/**
 * `npm run bench [fake|start|lvm …]`: the figures of docs/performance.md, medians over several runs, each against a yardstick of the
 * same run. LVM needs root and the lab's packages.
 */
import { benchFake } from './create-fake.ts';
import { benchLvm } from './create-lvm.ts';
import { benchStart } from './start.ts';
import { type Figure, table } from './figures.ts';

const benches: Readonly<Record<string, () => Promise<Figure[]>>> = {
  fake: benchFake,
  start: benchStart,
  lvm: benchLvm,
};
const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(benches);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`bench: ${unknown.join(', ')} is not one of ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}

const figures: Figure[] = [];
for (const name of names) figures.push(...((await benches[name]?.()) ?? []));
console.log(table(figures));
