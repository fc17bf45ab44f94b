import { readFile, readdir, readlink } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { absentAs, errorCode, isAbsent, readIfExistsSync } from '../files.ts';
import type { Portal } from './address.ts';

const listening = '0A';
const wordLength = 8;

/** Returns a description of the program that listens where the portal would: on its address, or on all addresses. */
export async function listenerOn({ ip, port }: Portal): Promise<string | undefined> {
  const texts = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => absentAs('', readFile(file, 'utf8'))),
  );
  const rows = texts.flatMap((text) => text.trim().split('\n').slice(1));
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  for (const row of rows) {
    const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
    const [address = '', localPort] = local.split(':');
    if (state !== listening || localPort !== hexPort || !isInTheWay(address, ip)) continue;
    return (await holderOf(inode)) ?? 'a program that this process may not see';
  }
  return undefined;
}

/** All addresses of IPv6 are those of IPv4 as well, unless a program wants otherwise, which is not shown; not the reverse. */
function isInTheWay(address: string, ip: string): boolean {
  if (/^0+$/.test(address)) return address.length > wordLength || !isIPv6(ip);
  return (
    address === (isIPv6(ip) ? hexOfIPv6(ip) : hexOfIPv4(ip)) || address === `0000000000000000FFFF0000${hexOfIPv4(ip)}`
  );
}

/** As the kernel prints it: words in the byte order of the machine. */
function hexOfIPv4(ip: string): string {
  return hexOfWord(ip.split('.').map(Number));
}

function hexOfIPv6(ip: string): string {
  const [head = '', tail = ''] = ip.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const missing = Math.max(0, 8 - groups(head).length - groups(tail).length);
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)];
  const bytes = all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
  return [0, 4, 8, 12].map((first) => hexOfWord(bytes.slice(first, first + 4))).join('');
}

function hexOfWord(bytes: readonly number[]): string {
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0').toUpperCase());
  const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  return (isLittleEndian ? hex.toReversed() : hex).join('');
}

/** The process that has a socket open, by its inode. */
async function holderOf(inode: string): Promise<string | undefined> {
  const link = `socket:[${inode}]`;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (!(await hasOpen(pid, link))) continue;
    const command = readIfExistsSync(`/proc/${pid}/cmdline`)
      ?.split('\0')
      .filter((word) => word !== '')
      .join(' ');
    return `${command?.slice(0, 200) || 'a program'} (process ${pid})`;
  }
  return undefined;
}

async function hasOpen(pid: string, link: string): Promise<boolean> {
  try {
    for (const name of await readdir(`/proc/${pid}/fd`)) {
      if ((await readlink(`/proc/${pid}/fd/${name}`).catch(() => '')) === link) return true;
    }
    return false;
  } catch (error) {
    if (isAbsent(error) || errorCode(error) === 'EACCES' || errorCode(error) === 'EPERM') return false;
    throw error;
  }
}
