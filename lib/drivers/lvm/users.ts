import { readFile, readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** Who has a block device open, for an operator to read. Only asked once something is known to be in the way. */
export async function usersOf(device: string): Promise<string> {
  const number = await deviceNumber(device);
  const users = [...(await mounts(number)), ...(await holders(number)), ...(await openers(device))];
  return users.length > 0 ? users.join(', ') : 'something has it open';
}

/** Major and minor as the kernel prints them; stat has both in one number. */
async function deviceNumber(device: string): Promise<string> {
  const { rdev } = await stat(device);
  return `${(rdev >> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
}

async function mounts(number: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const rows = table.split('\n').map((line) => line.split(' '));
  return rows.filter((row) => row[2] === number).map((row) => `mounted on ${row[4]}`);
}

/** Devices that are made of it: device-mapper, RAID. */
async function holders(number: string): Promise<string[]> {
  const names = await readdir(`/sys/dev/block/${number}/holders`).catch(() => []);
  return names.map((name) => `part of ${name}`);
}

async function openers(device: string): Promise<string[]> {
  const target = await realpath(device);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const directory = `/proc/${pid}/fd`;
      // A process may end, or belong to somebody else, while it is looked at.
      const descriptors = await readdir(directory).catch(() => []);
      const files = await Promise.all(descriptors.map((name) => readlink(path.join(directory, name)).catch(() => '')));
      if (!files.includes(target)) return [];
      const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a process');
      return [`${name.trim()} (process ${pid})`];
    }),
  );
  return found.flat();
}
