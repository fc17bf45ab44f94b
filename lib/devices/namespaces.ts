import { readFile, readlink } from 'node:fs/promises';
import { processIds } from './openers.ts';

/**
 * Returns a text per mount in the mount namespaces of other processes, such as services and containers. `find` returns the mount points
 * in a table of mounts, as proc(5) describes it. Namespaces of processes that this one may not examine are left out.
 */
export async function mountsOfOtherNamespaces(find: (mountinfo: string) => string[]): Promise<string[]> {
  const seen = new Set([await readlink('/proc/self/ns/mnt')]);
  const mounts: string[] = [];
  for (const pid of await processIds()) {
    try {
      const namespace = await readlink(`/proc/${pid}/ns/mnt`);
      if (seen.has(namespace)) continue;
      const found = find(await readFile(`/proc/${pid}/mountinfo`, 'utf8'));
      seen.add(namespace);
      const name = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
      const where = `in the mount namespace of ${name}, process ${pid}`;
      for (const path of found) {
        mounts.push(`mounted on ${path} ${where} (to release it: nsenter -t ${pid} -m umount ${path})`);
      }
    } catch {
      // The process has ended, or belongs to somebody else.
    }
  }
  return mounts;
}
