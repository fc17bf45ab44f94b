/**
 * Part of `npm run lint`: checks every script as it is sent to Redis, with the functions that are put before it, by luacheck:
 * syntax, globals that Redis does not have, names that are unused or hide others.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { scripts } from '../lib/redis/script-sources.ts';

/** What Redis gives to scripts: of Lua's own, nothing that reads files or loads code. */
const globals = `redis KEYS ARGV cjson cmsgpack bit struct math string table assert error getmetatable ipairs next pairs
  pcall rawequal rawget rawset select setmetatable tonumber tostring type unpack xpcall`.split(/\s+/);
const options = ['--std', 'none', '--no-max-line-length', '--formatter', 'plain', '--read-globals', ...globals];
/** Its exit codes: 0 clean, 1 warnings, 2 errors; beyond that it could not check. */
const maxExitCode = 2;

/** Returns a line for each fault of these scripts. Throws where luacheck is not installed. */
export async function faultsOf(sources: ReadonlyMap<string, { source: string }>): Promise<string[]> {
  const directory = await mkdtemp(path.join(tmpdir(), 'blockstore-lua-'));
  try {
    for (const [name, { source }] of sources) await writeFile(path.join(directory, `${name}.lua`), source);
    const run = await execa('luacheck', ['.', ...options], { cwd: directory, reject: false });
    if (run.code === 'ENOENT') throw new Error('luacheck is not installed; run: apt-get install lua-check');
    if (run.exitCode === undefined || run.exitCode > maxExitCode) throw new Error(run.stderr || run.stdout);
    return run.stdout
      .split('\n')
      .filter(Boolean)
      .map((fault) => explain(fault, sources));
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Of "name.lua:line:column: fault", with the text of the line: it may be in an included function. */
function explain(fault: string, sources: ReadonlyMap<string, { source: string }>): string {
  const [, name = '', line, message = fault] = /^(?:\.\/)?(\w+)\.lua:(\d+):\d+: (.*)$/.exec(fault) ?? [];
  const text = sources.get(name)?.source.split('\n')[Number(line) - 1]?.trim() ?? '';
  return `script ${name}: ${message}: ${text}`;
}

if (import.meta.main) {
  const faults = await faultsOf(scripts);
  for (const fault of faults) console.log(fault);
  if (faults.length > 0) process.exitCode = 1;
}
