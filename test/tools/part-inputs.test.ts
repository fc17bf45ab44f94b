import test from 'ava';
import { isInput } from '../../tools/part-inputs.ts';

test('results of all parts depend on code, not on documents, benchmarks and results', (t) => {
  for (const scope of ['code', 'storage'] as const) {
    for (const file of ['docs/design.md', 'README.md', 'bench/api.ts', 'test/all-results.json']) {
      t.false(isInput(file, scope), file);
    }
    for (const file of [
      'lib/models/kinds.ts',
      'lib/redis/scripts/commit.lua',
      'services/node/block-store.ts',
      'bin/blockstored',
      'package-lock.json',
      'test/crash/scenes.ts',
      'test/support/until.ts',
      'tools/bundle.ts',
    ]) {
      t.true(isInput(file, scope), file);
    }
  }
});

test('those of parts about storage do not depend on the API', (t) => {
  for (const file of ['services/api/server.ts', 'services/monitoring/metrics.ts', 'test/services/api/wire.test.ts']) {
    t.true(isInput(file, 'code'), file);
    t.false(isInput(file, 'storage'), file);
  }
});
