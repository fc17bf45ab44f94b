import { helpIfAsked } from '../../tools/program-options.ts';
import { allCases, check, nameOf } from './check.ts';

helpIfAsked(`npm run damage [-- WORD …]
removes and alters every key of a small cluster, one at a time: each damage is healed by two reports, or reported by an audit, and
ends no daemon. With words: only the cases whose names contain them all.`);

const atOnce = 4;
const words = process.argv.slice(2);
const cases = (await allCases()).filter((one) => words.every((word) => nameOf(one).includes(word)));
let failures = 0;
const queue = [...cases];
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const problems = await check(one);
      if (problems.length === 0) continue;
      failures += 1;
      console.log(`${nameOf(one)}\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    }
  }),
);
console.log(`${cases.length} cases, ${failures} failed`);
if (failures > 0 || cases.length === 0) process.exitCode = 1;
