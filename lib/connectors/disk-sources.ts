import { open, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isServedPath } from '../devices/served-files.ts';
import type { Disks } from './disks.ts';

const maxOverlays = 200;
/** Of the file format qcow2: magic number, version, position and length of the name of the file below. */
const headerBytes = 20;
const magic = 0x51_46_49_fb;
const maxNameBytes = 1023;

/**
 * Returns disks with all of their sources. A device has the given path in them, also where the disk has a partition of it, or a link
 * to it; what a file is an overlay of is read from the file, because the definition of a guest that is shut off need not name it.
 */
export async function completeDisks(disks: Disks, devicePath: string): Promise<Disks> {
  if (!devicePath.startsWith('/')) return disks; // an image on the network
  const device = { path: devicePath, real: await realOf(devicePath) };
  const complete = [...disks].map(async ([target, sources]) => {
    const all = [...sources, ...(await filesBelow(sources.at(-1) ?? ''))];
    return [target, await Promise.all(all.map((source) => nameOf(source, device)))] as const;
  });
  return new Map(await Promise.all(complete));
}

async function nameOf(source: string, device: { path: string; real: string }): Promise<string> {
  if (isPartOf(source, device.path)) return device.path;
  if (!source.startsWith('/dev/')) return source;
  return isPartOf(await realOf(source), device.real) ? device.path : source;
}

/** Whether a path is that of the disk or of one of its partitions, by the names that the kernel and udev give. */
function isPartOf(path: string, disk: string): boolean {
  if (!path.startsWith(disk)) return false;
  const rest = path.slice(disk.length);
  return rest === '' || /^(?:-part|p)\d+$/.test(rest) || (!/\d$/.test(disk) && /^\d+$/.test(rest));
}

async function realOf(path: string): Promise<string> {
  return realpath(path).catch(() => path); // a device that is not there, or not for this user
}

/** Returns the files and devices that a file is an overlay of. What cannot be read, or may never answer, is taken for no overlay. */
async function filesBelow(path: string): Promise<string[]> {
  const found: string[] = [];
  let next = await fileBelow(path);
  while (next !== undefined && !found.includes(next) && found.length < maxOverlays) {
    found.push(next);
    next = await fileBelow(next);
  }
  return found;
}

async function fileBelow(path: string): Promise<string | undefined> {
  if (!path.startsWith('/')) return undefined;
  const real = await realOf(path);
  if (isServedPath(real)) return undefined;
  const name = await backingNameIn(real).catch(() => undefined); // removed, or not for this user
  return name === undefined ? undefined : pathIn(name, dirname(real));
}

/** Returns the name as the file has it; undefined for one that is no overlay. */
async function backingNameIn(path: string): Promise<string | undefined> {
  if (!(await stat(path)).isFile()) return undefined;
  const file = await open(path, 'r');
  try {
    const read = async (bytes: number, position: number) =>
      (await file.read(Buffer.alloc(bytes), 0, bytes, position)).buffer;
    const header = await read(headerBytes, 0);
    const length = header.readUInt32BE(16);
    if (header.readUInt32BE(0) !== magic || length === 0 || length > maxNameBytes) return undefined;
    return (await read(length, Number(header.readBigUInt64BE(8)))).toString();
  } finally {
    await file.close();
  }
}

/** QEMU writes a path, which can be relative to the file, with a protocol before it, or a JSON object. */
function pathIn(name: string, directory: string): string {
  const [, inJson] = /^json:.*"(?:[\w-]+\.)*filename"\s*:\s*"([^"]+)"/s.exec(name) ?? [];
  return resolve(directory, inJson ?? name.replace(/^(?:file|host_device|raw):/, ''));
}
