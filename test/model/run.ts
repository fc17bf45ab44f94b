import { parseArgs } from 'node:util';
import { check } from './check.ts';

/** npm run model -- --runs N --seconds T --seed S --path P */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    path: { type: 'string' },
  },
});
const began = performance.now();
try {
  const { runs, seed } = await check({
    runs: Number(values.runs),
    ...(values.seconds === undefined ? {} : { limitMs: Number(values.seconds) * 1000 }),
    ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
    ...(values.path === undefined ? {} : { path: values.path }),
  });
  console.log(`${runs} runs explained, seed ${seed}, ${((performance.now() - began) / 1000).toFixed(0)} s`);
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
