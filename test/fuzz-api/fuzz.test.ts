import test from 'ava';
import { sampleNumber } from '../support/sample.ts';
import { fuzz } from './fuzz.ts';

/** A sample of what `npm run fuzz:api` sends. */
test('whatever a client sends, every answer is as the OpenAPI document says, and records stay well', async (t) => {
  t.timeout(300_000);
  const options = { requests: 4000, seed: sampleNumber('requests to the API', 2 ** 31 - 1) };
  t.log(`npm run fuzz:api -- --requests ${options.requests} --seed ${options.seed}`);
  const { problems, statuses } = await fuzz(options);
  t.deepEqual(problems, []);
  for (const status of [200, 400, 404]) t.true((statuses.get(status) ?? 0) > 0, `some answers are ${status}`);
});
