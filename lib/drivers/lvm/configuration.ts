import { access, lstat, mkdir, realpath, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { absentAs, replaceFile } from '../../files.ts';
import type { Processes } from '../../process.ts';

const hostDirectory = process.env['LVM_SYSTEM_DIR'] ?? '/etc/lvm';

/** Settings that fix the format of reports and messages, whatever the host's lvm.conf says. */
const answers = [
  'log/prefix="  "',
  'log/command_names=0',
  'log/silent=0',
  'log/verbose=0',
  'log/report_command_log=1',
  'log/command_log_cols="log_seq_num,log_type,log_context,log_object_type,log_object_name,log_message,log_errno,log_ret_code"',
  'log/command_log_selection="!(log_type=status && message=success)"',
  'log/command_log_sort="log_seq_num"',
  'report/output_format="json"',
  'report/compact_output=0',
  'report/compact_output_cols=""',
  'report/prefixes=0',
  'report/quoted=1',
  'report/headings=1',
  'report/buffered=1',
  'report/columns_as_rows=0',
  'report/separator=" "',
  'report/list_item_separator=","',
  'report/binary_values_as_numeric=0',
  'report/mark_hidden_devices=1',
  'report/two_word_unknown_device=0',
];

/** Groups of guests inside volumes are never read, and a volume that lacks a part of its data is never activated. */
const isolation = ['devices/scan_lvs=0', 'activation/activation_mode="degraded"'];

/** Without a limit /etc/lvm/archive grows by a file per change. */
const retention = ['backup/retain_min=10', 'backup/retain_days=0'];

/** The wipe discards; a discard within lvremove would block every other command. */
const removal = ['devices/issue_discards=0'];

/** Without these, lvcreate waits for a udevd that does not run: "device not cleared". */
const withoutUdev = [
  'activation/udev_sync=0',
  'activation/udev_rules=0',
  'activation/verify_udev_operations=0',
  'devices/obtain_device_list_from_udev=0',
  'devices/external_device_info_source="none"',
];

/**
 * Returns settings in LVM's syntax that precede the host's. LVM reads only `devices`, so that volume groups inside guests'
 * disks, or with the same name elsewhere, are never seen; empty: the devices that the host's configuration allows.
 */
export async function lvmSettings(devices: readonly string[]): Promise<string> {
  const limits = devices.length === 0 ? [] : ['devices/use_devicesfile=0', `devices/filter=${await filter(devices)}`];
  const udev = (await isThere('/run/udev/control')) ? [] : withoutUdev;
  return [...answers, ...isolation, ...retention, ...removal, ...udev, ...limits].join(' ');
}

/**
 * Additional settings of a resident shell: it finds devices in a separate directory and makes no copy of the metadata at
 * every change. Scanning /dev and writing two copies is most of the time of an lvcreate: in a lab node with 100 volumes
 * 114 ms with both, 31 ms without. The driver makes a copy periodically instead.
 */
export async function shellSettings(directory: string, devices: readonly string[]): Promise<string> {
  const copies = ['backup/backup=0', 'backup/archive=0'];
  if (devices.length === 0) return [await lvmSettings(devices), ...copies].join(' ');
  const folder = path.join(directory, 'scan');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // Of two names of one disk one is enough; two disks may have one basename; a disk that is absent has no name.
  const present = await Promise.all(devices.map((device) => absentAs(undefined, realpath(device))));
  for (const device of new Set(present.filter((one) => one !== undefined))) {
    await symlink(device, path.join(folder, device.slice(1).replaceAll('/', '!')));
  }
  const limits = [
    'devices/use_devicesfile=0',
    'devices/obtain_device_list_from_udev=0',
    `devices/scan=["${folder}"]`,
    `devices/filter=["a|^${literally(folder)}/|","r|.*|"]`,
  ];
  return [await lvmSettings([]), ...copies, ...limits].join(' ');
}

/** Writes a directory for LVM_SYSTEM_DIR: `settings`, then the host's own configuration. */
export async function makeSystemDirectory(processes: Processes, directory: string, settings: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  // LVM merges lvm.conf, lvmlocal.conf and these settings itself: it warns at every command of a setting given twice.
  const { stdout } = await processes.run(
    'lvm',
    ['lvmconfig', '--mergedconfig', '--type', 'current', '--config', settings],
    { env: { LVM_SUPPRESS_FD_WARNINGS: '1' } },
  );
  const file = path.join(directory, 'lvm.conf');
  await replaceFile(file, `${stdout}\n`);
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
  if (!(await isThere(host))) return;
  const found = await absentAs(undefined, lstat(own));
  if (found?.isDirectory()) await rename(own, `${own}.${Date.now()}`);
  else await rm(own, { force: true });
  await symlink(host, own);
}

/** LVM can know a device by the configured name or by the name that it links to. */
async function filter(devices: readonly string[]): Promise<string> {
  const names = new Set<string>();
  for (const device of devices) {
    names.add(device);
    names.add(await realpath(device).catch(() => device));
  }
  const accepted = [...names].map((name) => `"a|^${literally(name)}$|"`);
  return `[${[...accepted, '"r|.*|"'].join(',')}]`;
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
