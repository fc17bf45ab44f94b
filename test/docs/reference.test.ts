import { randomUUID } from 'node:crypto';
import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { exitCodes, interruptedCode, isInterruption } from '../../cli/exit-codes.ts';
import { volumeJson } from '../../cli/volume/present.ts';
import { parseVolume } from '../../lib/models/volume-state.ts';
import { flagNames } from '../../lib/flags/load.ts';
import { referenceFile, withGeneratedParts } from '../../tools/reference.ts';

const root = path.resolve(import.meta.dirname, '../..');
const troubleshooting = await readFile(path.join(root, 'docs/troubleshooting.md'), 'utf8');

/** Exit code of each error in the table; – for errors that end no program. */
const documented = new Map<string, string>();
const repeated: string[] = [];
for (const [, code = '', exit = ''] of troubleshooting.matchAll(
  /^\| `([A-Z]\w+)` \| (\d+|–) \| [^|]+ \| [^|]+ \|$/gm,
)) {
  if (documented.has(code)) repeated.push(code);
  documented.set(code, exit);
}

/** Returns the codes of all errors in the source, with their kinds. */
async function codesInSource(): Promise<Map<string, string>> {
  const codes = new Map<string, string>();
  for await (const file of glob('{lib,services,bin,cli}/**/*.ts', { cwd: root })) {
    const text = await readFile(path.join(root, file), 'utf8');
    for (const [, code = '', kind = ''] of text.matchAll(/new BlockstoreError\(\s*'(\w+)',\s*'(\w+)'/g)) {
      const other = codes.get(code);
      if (other !== undefined && other !== kind) throw new Error(`${code} is ${other}, and ${kind} in ${file}`);
      codes.set(code, kind);
    }
    const [, one = '', other = '', kind = ''] = /\? '(\w+)' : '(\w+)',\s*'(\w+)',\s*commandMessage/.exec(text) ?? [];
    if (one !== '') codes.set(one, kind).set(other, kind);
  }
  return codes;
}

test('the table of errors lists exactly the errors of the source', async (t) => {
  const codes = await codesInSource();
  t.true(codes.size > 50, 'errors were found in the source');
  t.deepEqual(
    [...codes.keys()].filter((code) => !documented.has(code)),
    [],
    'missing in docs/troubleshooting.md#errors',
  );
  t.deepEqual(
    [...documented.keys()].filter((code) => !codes.has(code)),
    [],
    'not in the source',
  );
  t.deepEqual(repeated, [], 'more than once in the table');
});

test('the table of errors has the exit codes of the programs', async (t) => {
  const kinds = new Map<string, number>(Object.entries(exitCodes));
  for (const [code, kind] of await codesInSource()) {
    if (documented.get(code) === '–') continue;
    const expected = isInterruption(code) ? interruptedCode : kinds.get(kind);
    t.is(documented.get(code), String(expected), code);
  }
});

test('the sample configuration has every flag, and documents name only existing flags', async (t) => {
  const sample = await readFile(path.join(root, 'etc/blockstore.conf'), 'utf8');
  t.deepEqual(
    flagNames.filter((name) => !sample.includes(`#${name} =`)),
    [],
  );
  const known = new Set<string>(flagNames);
  const families = new Set(flagNames.map((name) => name.split('_')[0]));
  // Settings of other programs that look like flags.
  const others = new Set(['aoe_iflist', 'aoe_deadsecs', 'node_modules']);
  // Names of the Block Storage API.
  for (const name of ['volume_backend_name', 'volume_type', 'export_record', 'auth_password']) others.add(name);
  const documents = await Array.fromAsync(glob('docs/*.md', { cwd: root }), (file) =>
    readFile(path.join(root, file), 'utf8'),
  );
  const named = [...documents.join('\n').matchAll(/`([a-z]+(?:_[a-z]+)+)(?: = \w+)?`/g)].map(([, name = '']) => name);
  t.deepEqual(
    named.filter((name) => families.has(name.split('_')[0] ?? '') && !known.has(name) && !others.has(name)),
    [],
  );
});

test('docs/reference.md is current; else run: npm run reference', async (t) => {
  const text = await readFile(referenceFile, 'utf8');
  t.is(text, withGeneratedParts(text));
});

test('docs/reference.md lists the fields of volumes and nodes', async (t) => {
  const text = await readFile(referenceFile, 'utf8');
  const volume = parseVolume(randomUUID(), {
    status: 'available',
    attachStatus: 'detached',
    size: '1',
    createTime: '1',
    node: 'n1',
    backend: 'lvm',
  });
  const fields = Object.keys(volumeJson({ ...volume, host: 'n1@lvm#group', destination: '', uses: [] }));
  t.deepEqual(
    fields.filter((field) => !text.includes(`\`${field}\``)),
    [],
  );
});
