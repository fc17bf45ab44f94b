import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { absentAs } from '../../lib/files.ts';
import { isInput } from '../../tools/part-inputs.ts';
import { filesOfScopes } from '../../tools/parts.ts';

const root = path.resolve(import.meta.dirname, '../..');

const ofTheDaemon = [
  'lib/models/kinds.ts',
  'lib/redis/scripts/commit.lua',
  'services/node/block-store.ts',
  'bin/blockstored',
  'test/crash/scenes.ts',
];

test('results of all parts depend on code, not on documents, benchmarks and results', (t) => {
  for (const scope of ['code', 'storage', 'programs', 'drivers'] as const) {
    for (const file of ['docs/design.md', 'README.md', 'bench/api.ts', 'test/all-results.json']) {
      t.false(isInput(file, scope), file);
    }
    for (const file of [
      ...(scope === 'drivers' ? [] : ofTheDaemon),
      'lib/drivers/lvm/driver.ts',
      'package-lock.json',
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

test('those of crashes, simulation and the like depend neither on command lines nor on other tests', (t) => {
  for (const file of ['cli/main.ts', 'test/cli/help.test.ts', 'test/cli/place.ts', 'tools/parts.ts', 'ava.config.js']) {
    t.true(isInput(file, 'code'), file);
    t.false(isInput(file, 'programs'), file);
  }
});

for (const scope of ['drivers', 'programs'] as const) {
  test(`what the parts of the scope ${scope} import is among their inputs`, async (t) => {
    const loaded = new Set<string>();
    const waiting = await Array.fromAsync(glob(filesOfScopes[scope], { cwd: root }));
    t.true(waiting.length >= filesOfScopes[scope].length);
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (loaded.has(file)) continue;
      loaded.add(file);
      waiting.push(...(await importsOf(file)));
    }
    t.true(loaded.size > 50);
    t.deepEqual(
      [...loaded].filter((file) => !isInput(file, scope)),
      [],
    );
  });
}

/** Files that a file imports or names as a program, from the root. */
async function importsOf(file: string): Promise<string[]> {
  const text = await absentAs('', readFile(path.join(root, file), 'utf8'));
  const names = [...text.matchAll(/(?:from|import\(?|URL\()\s*'(\.[^']+)'/g)].flatMap(([, name]) => name ?? []);
  const programs = [...text.matchAll(/'((?:test|services|cli|tools|bin)\/[^']+\.ts)'/g)].flatMap(
    ([, name]) => name ?? [],
  );
  return [...names.map((name) => path.join(path.dirname(file), name)), ...programs].filter((name) =>
    name.endsWith('.ts'),
  );
}
