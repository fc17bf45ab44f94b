import test from 'ava';
import { clusterErrors } from '../../lib/cluster-errors.ts';
import { errors } from '../../lib/errors.ts';
import { hostErrors } from '../../lib/host-errors.ts';
import { lvmErrors } from '../../lib/lvm-errors.ts';
import { redisErrors } from '../../lib/redis-errors.ts';

test('no part of the catalogue has an error under a name of another part', (t) => {
  const all = Object.entries(errors);
  for (const part of [clusterErrors, hostErrors, lvmErrors, redisErrors]) {
    for (const entry of Object.entries(part))
      t.deepEqual(
        all.find(([name]) => name === entry[0]),
        entry,
      );
  }
});
