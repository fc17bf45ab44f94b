import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { bundled } from '../test/support/bundle.ts';

/** After that an idle daemon has returned the memory that its start has taken. */
export const idleMs = 8000;

/** `ownMiB`: without what the kernel maps from files, such as the program itself, which all processes share. */
export async function memoryOf(pid: number): Promise<{ residentMiB: number; ownMiB: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { residentMiB: mib('VmRSS'), ownMiB: mib('RssAnon') };
}

/**
 * Copies the bundle with its Node.js to a directory and returns it. The copy is not in the page cache, as after a start of the machine:
 * of a file that has been read as a whole, as by cp(1), the kernel maps larger parts, and a process seems to take up to 30 MiB more.
 */
export async function uncachedBundle(directory: string): Promise<string> {
  await cp(await bundled(), directory, { recursive: true, dereference: true });
  const node = join(directory, 'bin/node');
  await rm(node);
  await cp(process.execPath, node);
  await execa('sync', [node]); // only clean pages leave the cache
  await execa('dd', [`if=${node}`, 'iflag=nocache', 'count=0', 'status=none']);
  return directory;
}
