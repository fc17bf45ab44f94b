import { existsSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';

const source = path.join(import.meta.dirname, 'whole-state.c');
const cache = path.resolve(import.meta.dirname, '../../node_modules/.cache/lab');

/** Whether the registers of a process of this host exceed the buffer of User-mode Linux, which is made for AVX-512. */
export async function hasWideRegisters(): Promise<boolean> {
  return /\bamx_tile\b/.test(await readFile('/proc/cpuinfo', 'utf8'));
}

let command: Promise<readonly string[]> | undefined;

/** Returns the command that starts User-mode Linux on this host, without its arguments. */
export function umlCommand(): Promise<readonly string[]> {
  command ??= makeCommand();
  return command;
}

async function makeCommand(): Promise<readonly string[]> {
  if (!(await hasWideRegisters())) return ['linux.uml'];
  const library = path.join(cache, 'whole-state.so');
  if (!existsSync(library)) {
    await mkdir(cache, { recursive: true });
    // Test files run side by side: nobody sees half of it.
    const stage = `${library}.${process.pid}`;
    await execa('cc', ['-O2', '-Wall', '-Werror', '-shared', '-fPIC', '-o', stage, source]);
    await rename(stage, library);
  }
  return ['env', `LD_PRELOAD=${library}`, 'linux.uml'];
}
