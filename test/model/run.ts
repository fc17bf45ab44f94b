import { programOptions, wholeNumber } from '../../tools/program-options.ts';
import { check } from './check.ts';

const usage = `npm run model -- [--runs N] [--seconds T] [--seed S [--path P]]
N random sequences of requests (1000), for at most T seconds; a failed one prints the seed and the path that repeat it`;
const { runs: count, ...values } = programOptions(usage, {
  runs: { type: 'string', default: '1000' },
  seconds: { type: 'string' },
  seed: { type: 'string' },
  path: { type: 'string' },
});
const whole = (option: string, text: string) => wholeNumber(usage, option, text);
const began = performance.now();
try {
  const { runs, seed } = await check({
    runs: whole('runs', count),
    ...(values.seconds === undefined ? {} : { limitMs: whole('seconds', values.seconds) * 1000 }),
    ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
    ...(values.path === undefined ? {} : { path: values.path }),
  });
  console.log(`${runs} runs explained, seed ${seed}, ${((performance.now() - began) / 1000).toFixed(0)} s`);
} catch (error) {
  console.log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
