import { existsSync } from 'node:fs';
import { glob, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import test from 'ava';
import { buildProgram } from '../../cli/program.ts';

const root = path.resolve(import.meta.dirname, '../..');

async function documents(): Promise<Map<string, string>> {
  const files = await Array.fromAsync(glob(['*.md', 'docs/*.md'], { cwd: root }));
  return new Map(await Promise.all(files.map(async (file) => [file, await read(file)] as const)));
}

function read(file: string): Promise<string> {
  return readFile(path.join(root, file), 'utf8');
}

/** Returns the anchors of a document's headings, in the form of GitHub. */
function anchors(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('links have a target', async (t) => {
  for (const [file, text] of await documents()) {
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [to = '', anchor] = link.split('#');
      const target = to === '' ? file : path.join(path.dirname(file), to);
      t.true(existsSync(path.join(root, target)), `${file}: ${link}`);
      if (anchor !== undefined) t.true(anchors(await read(target)).has(anchor), `${file}: ${link}`);
    }
  }
});

test('documented commands and options exist', async (t) => {
  let count = 0;
  for (const [file, text] of await documents()) {
    const blocks = [...text.matchAll(/```(?:sh|console)\n([\s\S]*?)```|`(blockstore [^`]+)`/g)];
    const lines = blocks.flatMap(([, block, inline]) => (block ?? inline ?? '').split('\n'));
    for (const line of lines) {
      const typed = /(?:^|[ /])blockstore ((?:volume|node|status|doctor|completion)\b[^#;&|]*)/.exec(line)?.[1];
      if (typed === undefined) continue;
      count += 1;
      t.deepEqual(unknownWords(buildProgram(), typed.trim().split(/\s+/)), [], `${file}: ${line}`);
    }
  }
  t.true(count > 20, 'commands were found');
});

/** Returns the commands and options of a line that do not exist. */
function unknownWords(program: Command, words: readonly string[]): string[] {
  let command = program;
  const unknown: string[] = [];
  for (const word of words) {
    const next = command.commands.find((child) => child.name() === word);
    if (next) command = next;
    else if (command.commands.length > 0 && !word.startsWith('-')) unknown.push(word);
    const options = [...program.options, ...command.options];
    if (word.startsWith('--') && !options.some(({ long }) => long === word)) unknown.push(word);
  }
  return unknown;
}

test('lines of prose have at most 120 characters', async (t) => {
  const long: string[] = [];
  for (const [file, text] of await documents()) {
    const prose = text.replaceAll(/```[^]*?```/g, '').split('\n');
    for (const line of prose) if (line.length > 120 && !/^(\||!\[|<!--)/.test(line)) long.push(`${file}: ${line}`);
  }
  t.deepEqual(long, []);
});

/** Also as an argument of a command. */
const pathInCode = /(?<![\w./-])((?:bench|bin|cli|docs|etc|lib|services|test|tools)\/[\w./@-]+\.\w+)/g;
/** A test by its name alone. */
const testInCode = /(?<![\w./-])([\w-]+(?:\.test|-cases)\.ts)/g;

test('files that documents name exist', async (t) => {
  const missing: string[] = [];
  const tests = new Set(
    (await readdir(path.join(root, 'test'), { recursive: true })).map((name) => path.basename(name)),
  );
  for (const [file, text] of await documents()) {
    if (file === 'CHANGELOG.md') continue;
    for (const [code] of text.matchAll(/`[^`\n]+`/g)) {
      for (const [, name = ''] of code.matchAll(pathInCode)) {
        if (!existsSync(path.join(root, name))) missing.push(`${file}: ${name}`);
      }
      for (const [, name = ''] of code.matchAll(testInCode)) {
        if (!tests.has(name)) missing.push(`${file}: ${name}`);
      }
    }
  }
  t.deepEqual(missing, []);
});
