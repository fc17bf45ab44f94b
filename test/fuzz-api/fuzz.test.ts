import test from 'ava';
import { sampleNumber } from '../support/sample.ts';
import { fuzz } from './fuzz.ts';

/** A sample of what `npm run fuzz:api` sends. */
test.serial(
  'whatever a client sends, every answer is as the OpenAPI document says, and records stay well',
  async (t) => {
    t.timeout(300_000);
    const options = { requests: 4000, seed: sampleNumber('requests to the API', 2 ** 31 - 1) };
    t.log(`npm run fuzz:api -- --requests ${options.requests} --seed ${options.seed}`);
    const { problems, statuses } = await fuzz({ service: 'block-storage', ...options });
    t.deepEqual(problems, []);
    for (const status of [200, 400, 404]) t.true((statuses.get(status) ?? 0) > 0, `some answers are ${status}`);
  },
);

test.serial('whatever a client sends to the identity service, nobody gets in or learns a secret by it', async (t) => {
  t.timeout(300_000);
  const options = { requests: 1500, seed: sampleNumber('requests to the identity service', 2 ** 31 - 1) };
  t.log(`npm run fuzz:api -- --service identity --requests ${options.requests} --seed ${options.seed}`);
  const { problems, statuses } = await fuzz({ service: 'identity', ...options });
  t.deepEqual(problems, []);
  for (const status of [200, 201, 204, 400, 401, 403, 404])
    t.true((statuses.get(status) ?? 0) > 0, `some answers are ${status}`);
});
