/**
 * `npm run bench [fake|api|start|placement|copy|lvm|targets …]`: the figures of docs/performance.md. Each bench runs three times, with all that belongs to it
 * made anew; medians are printed, each against a yardstick of the same runs. LVM and targets need root and the lab's packages.
 */
import { benchApi } from './api.ts';
import { benchCopy } from './copy.ts';
import { benchFake } from './create-fake.ts';
import { benchLvm } from './create-lvm.ts';
import { benchPlacement } from './placement.ts';
import { benchStart } from './start.ts';
import { benchTargets } from './targets.ts';
import { type Figure, medians, table } from './figures.ts';

const benches: Readonly<Record<string, () => Promise<Figure[]>>> = {
  fake: benchFake,
  api: benchApi,
  start: benchStart,
  placement: benchPlacement,
  copy: benchCopy,
  lvm: benchLvm,
  targets: benchTargets,
};
const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(benches);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`bench: ${unknown.join(', ')} is not one of ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}

const runs = 3;
const figures: Figure[] = [];
for (const name of names) {
  const measured: Figure[][] = [];
  for (let run = 1; run <= runs; run += 1) {
    console.error(`${name}: run ${run} of ${runs}`);
    measured.push((await benches[name]?.()) ?? []);
  }
  figures.push(...medians(measured));
}
console.log(table(figures));
