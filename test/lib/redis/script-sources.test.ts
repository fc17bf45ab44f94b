import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { scripts } from '../../../lib/redis/script-sources.ts';

const folder = join(import.meta.dirname, '../../../lib/redis/scripts');

async function sources(): Promise<[string, string][]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.lua'));
  return Promise.all(files.map(async (file) => [file, await readFile(join(folder, file), 'utf8')] as const)).then(
    (read) => read.map(([file, text]) => [file, text]),
  );
}

test('every script states its arguments, answers, complexity and included functions', async (t) => {
  const all = await sources();
  t.is(all.length, scripts.size);
  for (const [file, text] of all) {
    const header = text
      .split('\n')
      .filter((line) => line.startsWith('--'))
      .join('\n');
    for (const part of [/^-- ARGV: \S/m, /^-- Answers: \S/m, /^-- Complexity: O\(/m, /^-- uses: \w/m])
      t.regex(header, part, file);
  }
});

test('a script has the functions that it names, and no others', async (t) => {
  for (const [file, text] of await sources()) {
    const { source = '' } = scripts.get(file.slice(0, -4)) ?? {};
    const included = Array.from(source.slice(0, -text.length).matchAll(/^local function (\w+)/gm), ([, name]) => name);
    t.true(included.length > 0, file);
    t.is(new Set(included).size, included.length, `${file} includes each once`);
    const named = /^-- uses: (.+)$/m.exec(text)?.[1]?.split(', ') ?? [];
    for (const name of named) {
      t.true(included.includes(name), `${file} has ${name}`);
      t.regex(text.replace(/^--.*$/gm, ''), new RegExp(String.raw`\b${name}\b`), `${file} calls ${name}`);
    }
  }
});

test('no script reads all keys, or a whole set of the cluster', async (t) => {
  for (const [file, text] of await sources()) {
    t.notRegex(text, /'(KEYS|SCAN|SMEMBERS|HKEYS|HVALS)'/, file);
    t.notRegex(text, /ZRANGE', key_(volumes|nodes|freeSpace|shelves|volumeIds|volumeNames)\(\), 0, -1/, file);
  }
});
