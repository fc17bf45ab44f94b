import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs } from '../files.ts';

/**
 * The holders of export locks. A detached vblade keeps `<directory>/<volume id>.lock` locked while it runs, so the kernel's
 * table of locks maps processes to volumes, also after a crash of the daemon. Unlike a pid file it cannot be stale.
 */

const suffix = '.lock';

interface Lock {
  pid: number;
  /** "major:minor", hexadecimal. */
  device: string;
}

export function lockFile(directory: string, id: string): string {
  return join(directory, id + suffix);
}

/** Returns process ids by volume id, without free locks. */
export async function lockHolders(directory: string): Promise<Map<string, number>> {
  const names = (await absentAs([], readdir(directory))).filter((name) => name.endsWith(suffix));
  const locks = names.length > 0 ? await readLocks() : new Map<bigint, Lock[]>();
  const holders = new Map<string, number>();
  for (const name of names) {
    const pid = await holder(join(directory, name), locks);
    if (pid !== undefined) holders.set(name.slice(0, -suffix.length), pid);
  }
  return holders;
}

/** Returns the process that holds the lock of the volume; undefined if it is free. */
export async function lockHolder(directory: string, id: string): Promise<number | undefined> {
  return holder(lockFile(directory, id), await readLocks());
}

async function holder(file: string, locks: Map<bigint, Lock[]>): Promise<number | undefined> {
  const status = await absentAs(undefined, stat(file, { bigint: true }));
  if (status === undefined) return undefined;
  const candidates = locks.get(status.ino) ?? [];
  // On overlay and btrfs the table and stat have different devices for one file: then only the inode is compared.
  const same = candidates.find((lock) => lock.device === deviceName(status.dev));
  return (same ?? candidates[0])?.pid;
}

/** Rows like `1: FLOCK  ADVISORY  WRITE 4711 fe:00:2150131 0 EOF`; waiting ones have an arrow. */
async function readLocks(): Promise<Map<bigint, Lock[]>> {
  const locks = new Map<bigint, Lock[]>();
  const rows = (await readFile('/proc/locks', 'utf8')).matchAll(
    /^\d+: FLOCK +ADVISORY +WRITE +(?<pid>\d+) (?<device>[0-9a-f]+:[0-9a-f]+):(?<inode>\d+) /gm,
  );
  for (const { groups } of rows) {
    const inode = BigInt(groups?.['inode'] ?? 0);
    const lock = { pid: Number(groups?.['pid']), device: groups?.['device'] ?? '' };
    locks.set(inode, [...(locks.get(inode) ?? []), lock]);
  }
  return locks;
}

function deviceName(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
  return [major, minor].map((part) => part.toString(16).padStart(2, '0')).join(':');
}
