import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { loadFlags } from '../../lib/flags/load.ts';
import { sample, sampleFile } from '../../tools/sample-config.ts';

test('the sample configuration lists every flag with its default', async (t) => {
  t.is(await readFile(sampleFile, 'utf8'), sample(), 'out of date: npm run sample-config');
});

test('the sample configuration is valid and equals the defaults, commented out or not', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'blockstore-config-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = path.join(directory, 'blockstore.conf');
  // The node's name has no default that would be the same everywhere.
  await writeFile(file, sample().replace(/^#(?!storage_name)(?=\w+ =)/gm, ''));
  t.deepEqual(loadFlags({ file: sampleFile }).flags, loadFlags({}).flags);
  t.deepEqual(loadFlags({ file }).flags, loadFlags({}).flags);
  const { origins } = loadFlags({ file });
  for (const name of sample().matchAll(/^#(?!storage_name)(\w+) = ./gm)) {
    t.regex(Object.entries(origins).find(([flag]) => flag === name[1])?.[1] ?? '', /^file /, name[1]);
  }
});
