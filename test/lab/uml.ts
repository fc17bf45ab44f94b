import { existsSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';

const source = path.join(import.meta.dirname, 'whole-state.c');
const cache = path.resolve(import.meta.dirname, '../../node_modules/.cache/lab');

/** Whether the registers of a process of this host exceed the buffer of User-mode Linux 6.1, which is made for AVX-512. */
export async function hasWideRegisters(): Promise<boolean> {
  return /\bamx_tile\b/.test(await readFile('/proc/cpuinfo', 'utf8'));
}

export interface LabKernel {
  /** What starts it, with its first arguments. */
  command: readonly string[];
  /** The directory with its modules, by release. */
  modules: string;
}

let kernel: Promise<LabKernel> | undefined;

/** Returns the User-mode Linux that runs on this host: the one that tools/lab-kernel.sh has fetched, or else the packaged one. */
export function labKernel(): Promise<LabKernel> {
  kernel ??= findKernel();
  return kernel;
}

async function findKernel(): Promise<LabKernel> {
  const fetched = path.join(cache, 'linux', 'linux.uml');
  if (existsSync(fetched)) return { command: [fetched, 'seccomp=auto'], modules: path.join(cache, 'linux', 'modules') };
  const preload = (await hasWideRegisters()) ? ['env', `LD_PRELOAD=${await wholeState()}`] : [];
  return { command: [...preload, 'linux.uml'], modules: '/usr/lib/uml/modules' };
}

/** Returns the library that makes up for the buffer, see its source. */
async function wholeState(): Promise<string> {
  const library = path.join(cache, 'whole-state.so');
  if (existsSync(library)) return library;
  await mkdir(cache, { recursive: true });
  // Test files run side by side: nobody sees half of it.
  const stage = `${library}.${process.pid}`;
  await execa('cc', ['-O2', '-Wall', '-Werror', '-shared', '-fPIC', '-o', stage, source]);
  await rename(stage, library);
  return library;
}
