import { access, mkdir, realpath, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile } from '../../files.ts';
import type { Processes } from '../../process.ts';

const hostDirectory = process.env['LVM_SYSTEM_DIR'] ?? '/etc/lvm';

/** What makes LVM answer in one known form, whatever the host's lvm.conf says of reports. */
const answers = [
  'log/report_command_log=1',
  'log/command_log_cols="log_seq_num,log_type,log_context,log_object_type,log_object_name,log_message,log_errno,log_ret_code"',
  'log/command_log_selection="!(log_type=status && message=success)"',
  'report/output_format="json"',
];

/** A copy of the metadata per change, for ever, is how /etc/lvm/archive comes to 120,000 files. */
const retention = ['backup/retain_min=10', 'backup/retain_days=0'];

/** Discarding is the wipe's business: within lvremove it would hold up every other command. */
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
 * Our settings, in LVM's syntax, to go before the host's own. `devices`: the only ones that LVM is to look at, so that
 * volume groups inside guests' disks, or of the same name elsewhere, are never seen; empty: those that the host allows.
 */
export async function lvmSettings(devices: readonly string[]): Promise<string> {
  const limits = devices.length === 0 ? [] : ['devices/use_devicesfile=0', `devices/filter=${await filter(devices)}`];
  const udev = (await isThere('/run/udev/control')) ? [] : withoutUdev;
  return [...answers, ...retention, ...removal, ...udev, ...limits].join(' ');
}

/**
 * What a resident shell has besides: it looks for devices in a folder that has nothing else, and keeps no copy of the metadata
 * at every change. Reading through /dev and writing two copies is most of an lvcreate: measured in a lab node with 100 volumes,
 * 114 ms with both, 31 ms without. The driver makes a copy now and then instead.
 */
export async function shellSettings(directory: string, devices: readonly string[]): Promise<string> {
  const copies = ['backup/backup=0', 'backup/archive=0'];
  if (devices.length === 0) return [await lvmSettings(devices), ...copies].join(' ');
  const folder = path.join(directory, 'scan');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const device of devices) await symlink(await realpath(device), path.join(folder, path.basename(device)));
  const limits = [
    'devices/use_devicesfile=0',
    'devices/obtain_device_list_from_udev=0',
    `devices/scan=["${folder}"]`,
    `devices/filter=["a|^${literally(folder)}/|","r|.*|"]`,
  ];
  return [await lvmSettings([]), ...copies, ...limits].join(' ');
}

/** Makes the directory fit for LVM_SYSTEM_DIR: the host's own configuration with `settings` before it. */
export async function makeSystemDirectory(processes: Processes, directory: string, settings: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  // LVM itself merges lvm.conf, lvmlocal.conf and ours: a setting given twice in one file is warned of at every command.
  const { stdout } = await processes.run(
    'lvm',
    ['lvmconfig', '--mergedconfig', '--type', 'current', '--config', settings],
    { env: { LVM_SUPPRESS_FD_WARNINGS: '1' } },
  );
  const file = path.join(directory, 'lvm.conf');
  await replaceFile(file, `${stdout}\n`);
  // backup: or the copies of the metadata would be made here, and vgcfgrestore would find an old one.
  for (const name of ['profile', 'devices', 'backup']) {
    const link = path.join(directory, name);
    await rm(link, { recursive: true, force: true });
    if (await isThere(path.join(hostDirectory, name))) await symlink(path.join(hostDirectory, name), link);
  }
  return directory;
}

/** A device may be known to LVM by the name that was configured or by the one that this points to. */
async function filter(devices: readonly string[]): Promise<string> {
  const names = new Set<string>();
  for (const device of devices) {
    names.add(device);
    names.add(await realpath(device).catch(() => device));
  }
  const accepted = [...names].map((name) => `"a|^${literally(name)}$|"`);
  return `[${[...accepted, '"r|.*|"'].join(',')}]`;
}

/** As a regular expression that matches this text alone. */
function literally(text: string): string {
  return text.replace(/[.*+?^${}()[\]|\\]/g, '[$&]');
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
