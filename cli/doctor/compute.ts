import { existsSync } from 'node:fs';
import { deviceDirectory, devicePath } from '../../lib/aoe/address.ts';
import { CommandError } from '../../lib/command-error.ts';
import { errors } from '../../lib/errors.ts';
import type { Processes } from '../../lib/process.ts';
import { type Finding, bad, ok, warn } from '../../lib/check.ts';

/** Checks what a host needs to connect volumes as block devices; only a warning unless `isRequired`. */
export async function checkAttaching(processes: Processes, isRequired: boolean): Promise<Finding> {
  if (existsSync('/sys/module/aoe')) return ok('the kernel module aoe is loaded');
  try {
    await processes.run('modinfo', ['aoe']);
    return ok('the kernel module aoe is available; "blockstore volume attach --host-device" loads it');
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.failure.notFound) throw errors.commandMissing('modinfo', 'kmod');
    if (error.failure.exitCode !== 1) throw error; // not a statement about the module
    const level = isRequired ? bad : warn;
    return level(
      'the kernel module aoe is missing: this host cannot connect volumes as block devices',
      'run a kernel with CONFIG_ATA_OVER_ETH (Debian: linux-image-amd64, not the cloud kernel)',
    );
  }
}

/** Checks that LVM of this host looks for no volume groups inside attached volumes: they are a guest's, or another host's. */
export async function checkLvmFilter(processes: Processes): Promise<Finding> {
  const settings = ['devices/global_filter', 'devices/filter', 'devices/use_devicesfile'];
  try {
    const { stdout } = await processes.run('lvmconfig', ['--type', 'full', ...settings]);
    if (hidesAoe(stdout)) return ok('LVM of this host ignores attached volumes');
    return warn(
      'LVM of this host scans attached volumes: it can activate a volume group of a guest, and hang on a lost device',
      `in /etc/lvm/lvm.conf, section devices, set global_filter = [ "r|^${deviceDirectory}/|", "a|.*|" ]`,
    );
  } catch (error) {
    if (error instanceof CommandError && error.failure.notFound) return ok('this host has no LVM');
    throw error;
  }
}

/** Of a list of filters the first that matches decides. Whoever accepts only certain devices ends with a rejection of all. */
function hidesAoe(settings: string): boolean {
  if (/^use_devicesfile=1$/m.test(settings)) return true;
  const lists = Array.from(settings.matchAll(/filter=\[(.*)\]$/gm), ([, list = '']) => list);
  return lists.some((list) => {
    const rules = Array.from(list.matchAll(/"([ar])(.)(.*?)\2"/g), ([, verb, , pattern = '']) => ({ verb, pattern }));
    const first = rules.find(({ pattern }) => new RegExp(pattern).test(devicePath('e1.0')));
    return first?.verb === 'r';
  });
}
