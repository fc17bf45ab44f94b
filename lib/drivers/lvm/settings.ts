/**
 * Settings in LVM's syntax that precede the host's. They fix what the driver depends on, so that nothing in lvm.conf changes a
 * result; where disks are searched for is in configuration.ts.
 */

/** The form of reports and messages. */
const output = [
  'log/prefix="  "',
  'log/indent=0',
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
  'report/aligned=1',
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
  // Sorted by a field of segments a report has a row per segment.
  'report/lvs_sort="vg_name,lv_name"',
  'report/vgs_sort="vg_name"',
  'report/pvs_sort="pv_name"',
];

/** What commands do: neither a test, nor refused, nor without waiting for locks, nor stopped by a setting that this LVM does not have. */
const behaviour = [
  'config/abort_on_errors=0',
  'global/test=0',
  'global/metadata_read_only=0',
  'global/activation=1',
  'global/wait_for_locks=1',
  'activation/retry_deactivation=1',
  // A volume that lacks a part of its data is never activated.
  'activation/activation_mode="degraded"',
  // Each disk of a group that vgcreate makes has the metadata.
  'metadata/pvmetadatacopies=1',
  'metadata/pvmetadataignore=0',
  'metadata/vgmetadatacopies=0',
  // Its extents are of 4 MiB, so that volumes have the size that they were asked for.
  'allocation/physical_extent_size=4096',
];

/** Volumes are below /dev; groups of guests inside volumes are never read, and disks of any size (KiB) are. */
const devices = ['devices/dir="/dev"', 'devices/scan_lvs=0', 'devices/pv_min_size=512'];

/** Without a limit /etc/lvm/archive grows by a file per change. */
const retention = ['backup/retain_min=10', 'backup/retain_days=0'];

/** The wipe discards; a discard within lvremove would block every other command. */
const removal = ['devices/issue_discards=0'];

/** A removed thin volume leaves no entry in the metadata of the group. */
const thin = ['metadata/record_lvs_history=0'];

export const fixedSettings: readonly string[] = [
  ...output,
  ...behaviour,
  ...devices,
  ...retention,
  ...removal,
  ...thin,
];

/** For a machine without udev; with it, its settings stay: a container can have the socket of udev and none of its events. */
export const withoutUdev: readonly string[] = [
  // Otherwise lvcreate waits for a udevd that does not run: "device not cleared".
  'activation/udev_sync=0',
  'activation/udev_rules=0',
  'activation/verify_udev_operations=0',
  'devices/obtain_device_list_from_udev=0',
  'devices/external_device_info_source="none"',
];

/** The shell makes no copies of the metadata at each change; the driver makes one from time to time. */
export const withoutCopies: readonly string[] = ['backup/backup=0', 'backup/archive=0'];

/** Of thin-provisioning-tools, where Debian installs it. */
export const thinCheckFile = '/usr/sbin/thin_check';

/** Returns the setting of the program that checks a pool before it becomes active; '': none is run. */
export function thinCheck(file: string): string {
  return `global/thin_check_executable="${file}"`;
}
