import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, readAttribute } from '../files.ts';

/** What the kernel's iSCSI initiator has, from /sys: no udev is needed, and names are looked up each time, for they change hands. */

export interface IscsiSession {
  /** As iscsiadm numbers it. */
  number: string;
  isLoggedIn: boolean;
  disks: IscsiDisk[];
}

export interface IscsiDisk {
  /** Name under /sys/block, such as sdb. */
  name: string;
  lun: number;
  bytes: number;
  /** undefined where the target has told none. */
  serial: string | undefined;
}

/** Returns the sessions of this host with a target, through whichever portal. */
export async function sessionsWith(targetName: string, system = '/sys'): Promise<IscsiSession[]> {
  const directory = join(system, 'class/iscsi_session');
  const names = await absentAs([], readdir(directory));
  const sessions = names.map(async (name) => {
    const session = join(directory, name);
    if ((await readAttribute(join(session, 'targetname')))?.trim() !== targetName) return [];
    const state = (await readAttribute(join(session, 'state')))?.trim();
    const disks = await disksBelow(join(session, 'device'));
    return [{ number: name.replace(/^session/, ''), isLoggedIn: state === 'LOGGED_IN', disks }];
  });
  return (await Promise.all(sessions)).flat();
}

/** Of the directories target<H:B:T>/<H:B:T:L>/block/<name> of a session. */
async function disksBelow(session: string): Promise<IscsiDisk[]> {
  const below = async (directory: string, pattern: RegExp) =>
    (await absentAs([], readdir(directory))).filter((name) => pattern.test(name)).map((name) => join(directory, name));
  const targets = await below(session, /^target\d/);
  const units = (await Promise.all(targets.map((target) => below(target, /^\d+:\d+:\d+:\d+$/)))).flat();
  const found = units.map(async (unit) => {
    const names = await absentAs([], readdir(join(unit, 'block')));
    const lun = Number(unit.split(':').at(-1));
    return Promise.all(names.map((name) => diskAt(unit, name, lun)));
  });
  return (await Promise.all(found)).flat();
}

async function diskAt(unit: string, name: string, lun: number): Promise<IscsiDisk> {
  const sectors = Number((await readAttribute(join(unit, 'block', name, 'size')))?.trim() ?? 0);
  return { name, lun, bytes: sectors * 512, serial: await serialOf(unit) };
}

/** Vital product data, page 0x80: a header of four bytes, then the serial number, padded with spaces. */
async function serialOf(unit: string): Promise<string | undefined> {
  const file = join(unit, 'vpd_pg80');
  if (!existsSync(file)) return undefined;
  const page = await absentAs(undefined, readFile(file));
  // The C strings of some targets have a final zero byte.
  return page === undefined ? undefined : page.subarray(4).toString('latin1').replaceAll('\0', '').trim();
}
