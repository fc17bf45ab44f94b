import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { accessCheck } from './access-check.ts';
import { keyFunctions } from './keys.ts';
import { kindFunctions } from './kind-functions.ts';

export type ScriptName =
  | 'commit'
  | 'acquire_lease'
  | 'release_lease'
  | 'report'
  | 'repeat_report'
  | 'hide_backend'
  | 'claim_shelf'
  | 'release_shelf'
  | 'release_shelves'
  | 'begin_catch_up'
  | 'check_record'
  | 'check_shelf'
  | 'check_entry';

export interface Script {
  /** As it is sent to Redis: the functions that it uses, then itself. */
  source: string;
  sha: string;
  /** Commands that it calls, in capitals. */
  commands: ReadonlySet<string>;
}

interface Included {
  source: string;
  uses: readonly string[];
}

const folder = join(import.meta.dirname, 'scripts');

/** Every script by its name. */
export const scripts: ReadonlyMap<string, Script> = loadScripts();

function loadScripts(): ReadonlyMap<string, Script> {
  const functions = new Map<string, Included>(
    [...keyFunctions(), ...kindFunctions()].map(({ name, source }) => [name, { source, uses: [] }]),
  );
  for (const file of filesIn(join(folder, 'include'))) {
    for (const [name, included] of functionsIn(readFileSync(join(folder, 'include', file), 'utf8'))) {
      functions.set(name, included);
    }
  }
  return new Map(
    filesIn(folder).map((file) => {
      const own = readFileSync(join(folder, file), 'utf8');
      const commands = commandsIn(`${withUsed(usesOf(own), functions).join('\n')}\n${own}`);
      const check = accessCheck(commands, /^-- without memory: (.+)$/m.exec(own)?.[1] ?? 'false');
      const used = [...(check === '' ? [] : ['refusal_of', 'key_access']), ...usesOf(own)];
      const source = [...withUsed(used, functions), check, own].join('\n');
      return [file.slice(0, -4), { source, sha: createHash('sha1').update(source).digest('hex'), commands }];
    }),
  );
}

/** Commands of a script, also those that its functions get as their first argument. */
function commandsIn(source: string): ReadonlySet<string> {
  return new Set(
    Array.from(source.matchAll(/(?:redis\.p?call|call_if_typed|refusal_of)\('([A-Z]+)'/g), ([, name = '']) => name),
  );
}

function filesIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.lua'))
    .toSorted();
}

/** Each function begins at `local function` and ends at the first line that is `end` alone; its uses stand in the comment before it. */
function functionsIn(file: string): [string, Included][] {
  const found = file.matchAll(/((?:^--.*\n)*)(^local function (\w+)[\s\S]*?^end$)/gm);
  return Array.from(found, ([, comment = '', source = '', name = '']) => [name, { source, uses: usesOf(comment) }]);
}

function usesOf(text: string): string[] {
  return Array.from(text.matchAll(/^-- uses: (.+)$/gm), ([, names = '']) => names.split(/,\s*/)).flat();
}

/** The functions named, each once and after those that it uses itself. Throws for a name that no function has. */
function withUsed(names: readonly string[], functions: ReadonlyMap<string, Included>): string[] {
  const sources = new Set<string>();
  const add = (name: string) => {
    const included = functions.get(name);
    if (!included) throw new Error(`a script uses ${name}, which is no function of include/`);
    for (const used of included.uses) add(used);
    sources.add(included.source);
  };
  for (const name of names) add(name);
  return [...sources];
}
