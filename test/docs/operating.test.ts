import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { exitCodes, interruptedCode } from '../../cli/exit-codes.ts';
import { errors } from '../../lib/errors.ts';
import { flagNames } from '../../lib/flags/load.ts';

const root = path.resolve(import.meta.dirname, '../..');
const operating = await readFile(path.join(root, 'docs/operating.md'), 'utf8');

/** Exit codes, or – for what ends no program, by the codes of the table of errors. */
const documented = new Map<string, string>();
for (const [, code = '', exit = ''] of operating.matchAll(/^\| `([A-Z]\w+)` \| (\d+|–) \| [^|]+ \| [^|]+ \|$/gm)) {
  documented.set(code, exit);
}

/** Every code that the source makes an error of, with its kind. */
async function codesInSource(): Promise<Map<string, string>> {
  const codes = new Map<string, string>();
  for await (const file of glob('{lib,services,bin}/**/*.ts', { cwd: root })) {
    const text = await readFile(path.join(root, file), 'utf8');
    for (const [, code = '', kind = ''] of text.matchAll(/new BlockstoreError\(\s*'(\w+)',\s*'(\w+)'/g)) {
      codes.set(code, kind);
    }
    const [, one = '', other = '', kind = ''] = /\? '(\w+)' : '(\w+)',\s*'(\w+)',\s*commandMessage/.exec(text) ?? [];
    if (one !== '') codes.set(one, kind).set(other, kind);
  }
  return codes;
}

test('every error is in the table, and the table has no other', async (t) => {
  const codes = await codesInSource();
  t.true(codes.size > Object.keys(errors).length * 0.9, 'they are found in the source');
  t.deepEqual(
    [...codes.keys()].filter((code) => !documented.has(code)),
    [],
    'not in the table',
  );
  t.deepEqual(
    [...documented.keys()].filter((code) => !codes.has(code)),
    [],
    'no such error',
  );
});

test('the table has the exit codes that the programs end with', async (t) => {
  const kinds = new Map<string, number>(Object.entries(exitCodes));
  for (const [code, kind] of await codesInSource()) {
    if (documented.get(code) === '–') continue;
    const wanted = code === 'Interrupted' ? interruptedCode : kinds.get(kind);
    t.is(documented.get(code), String(wanted), code);
  }
});

test('every flag is in the sample configuration, and every flag that the documents name is one', async (t) => {
  const sample = await readFile(path.join(root, 'etc/blockstore.conf'), 'utf8');
  t.deepEqual(
    flagNames.filter((name) => !sample.includes(`#${name} =`)),
    [],
  );
  const known = new Set<string>(flagNames);
  const families = new Set(flagNames.map((name) => name.split('_')[0]));
  // Words of other programs that look like flags.
  const others = new Set(['aoe_iflist', 'aoe_deadsecs']);
  const named = [...operating.matchAll(/`([a-z]+(?:_[a-z]+)+)(?: = \w+)?`/g)].map(([, name = '']) => name);
  t.deepEqual(
    named.filter((name) => families.has(name.split('_')[0] ?? '') && !known.has(name) && !others.has(name)),
    [],
  );
});
