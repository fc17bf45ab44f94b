import { access, lstat, mkdir, realpath, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { absentAs, replaceFile } from '../../files.ts';
import type { Processes } from '../../process.ts';
import { hostTags } from './host-tags.ts';
import { fixedSettings, thinCheck, thinCheckFile, withoutCopies, withoutUdev } from './settings.ts';

const hostDirectory = '/etc/lvm';

/**
 * Returns settings in LVM's syntax that precede the host's. LVM reads only `devices`, so that volume groups inside guests'
 * disks, or with the same name elsewhere, are never seen; empty: the devices that the host's configuration allows.
 */
export async function lvmSettings(devices: readonly string[]): Promise<string> {
  const limits = devices.length === 0 ? [] : ['devices/scan=["/dev"]', ...only(await namesOf(devices))];
  return [...(await commonSettings()), ...limits].join(' ');
}

/**
 * Additional settings of a resident shell: it finds devices in a separate directory and makes no copy of the metadata at
 * every change. Scanning /dev and writing two copies is most of the time of an lvcreate: in a lab node with 100 volumes
 * 114 ms with both, 31 ms without. The driver makes a copy periodically instead.
 */
export async function shellSettings(directory: string, devices: readonly string[]): Promise<string> {
  const common = [...(await commonSettings()), ...withoutCopies];
  if (devices.length === 0) return common.join(' ');
  const folder = path.join(directory, 'scan');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // Of two names of one disk one is enough; two disks may have one basename; a disk that is absent has no name.
  const present = await Promise.all(devices.map((device) => absentAs(undefined, realpath(device))));
  for (const device of new Set(present.filter((one) => one !== undefined))) {
    await symlink(device, path.join(folder, device.slice(1).replaceAll('/', '!')));
  }
  const limits = [
    'devices/obtain_device_list_from_udev=0',
    `devices/scan=["${folder}"]`,
    ...only([`^${literally(folder)}/`]),
  ];
  return [...common, ...limits].join(' ');
}

async function commonSettings(): Promise<string[]> {
  const udev = (await isThere('/run/udev/control')) ? [] : withoutUdev;
  return [...fixedSettings, ...udev, thinCheck((await isThere(thinCheckFile)) ? thinCheckFile : '')];
}

/** LVM reads devices with one of these names, whatever devices file and filters the host has. */
function only(patterns: readonly string[]): string[] {
  const accepted = patterns.map((pattern) => `"a|${pattern}|"`);
  const filter = `[${[...accepted, '"r|.*|"'].join(',')}]`;
  return ['devices/use_devicesfile=0', `devices/filter=${filter}`, 'devices/global_filter=["a|.*|"]'];
}

/** Writes a directory for LVM_SYSTEM_DIR: `settings`, then the host's own configuration. */
export async function makeSystemDirectory(processes: Processes, directory: string, settings: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  // LVM merges lvm.conf, lvmlocal.conf and these settings itself: it warns at every command of a setting given twice.
  const merge = ['lvmconfig', '--mergedconfig', '--type', 'current', '--config', settings];
  const { stdout } = await processes.run('lvm', merge);
  const file = path.join(directory, 'lvm.conf');
  // What the host's lists of volumes to activate select with them.
  const tags = (await hostTags(processes)).map((tag) => `\t${tag} {\n\t}\n`);
  await replaceFile(file, `${stdout}\n${tags.length === 0 ? '' : `tags {\n${tags.join('')}}\n`}`);
  for (const name of ['profile', 'devices']) {
    const link = path.join(directory, name);
    await rm(link, { recursive: true, force: true });
    if (await isThere(path.join(hostDirectory, name))) await symlink(path.join(hostDirectory, name), link);
  }
  await linkBackups(path.join(directory, 'backup'), path.join(hostDirectory, 'backup'));
  return directory;
}

/**
 * Copies of the metadata are made where vgcfgrestore looks for them. Without such a directory they are made in ours, which is
 * never removed: until the next copy it has the only one.
 */
async function linkBackups(own: string, host: string): Promise<void> {
  const found = await absentAs(undefined, lstat(own));
  if (!(await isThere(host))) {
    if (found?.isSymbolicLink()) await rm(own); // LVM makes no directory where a link leads
    return;
  }
  if (found?.isDirectory()) await rename(own, `${own}.${Date.now()}`);
  else await rm(own, { force: true });
  await symlink(host, own);
}

/** LVM can know a device by the configured name or by the name that it links to. */
async function namesOf(devices: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  for (const device of devices) {
    names.add(device);
    names.add(await realpath(device).catch(() => device));
  }
  return [...names].map((name) => `^${literally(name)}$`);
}

/** Returns a regular expression that matches only this text. */
function literally(text: string): string {
  return text.replace(/[.*+?^${}()[\]|\\]/g, '[$&]');
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
