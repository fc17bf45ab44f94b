import { existsSync } from 'node:fs';
import { deviceDirectory, devicePath } from '../../lib/aoe/address.ts';
import { type Finding, ok, warn } from '../../lib/check.ts';
import { CommandError } from '../../lib/command-error.ts';
import type { Processes } from '../../lib/process.ts';

const devicesDirectory = '/etc/lvm/devices';
const settingNames = ['global_filter', 'filter', 'use_devicesfile', 'devicesfile'];
/** The names that LVM finds for an attached volume: its own, and those that udev adds for what is on it. */
const device = devicePath('e1.0');
const aliases = ['/dev/disk/by-id/lvm-pv-uuid-x', '/dev/disk/by-uuid/x', '/dev/disk/by-label/x', '/dev/block/152:0'];

/** Checks that LVM of this host looks for no volume groups inside attached volumes: they are a guest's, or another host's. */
export async function checkLvmFilter(processes: Processes): Promise<Finding> {
  try {
    const names = settingNames.map((name) => `devices/${name}`);
    // With a setting of our own, as lvmconfig fails where lvm.conf has none at all.
    const { stdout } = await processes.run('lvmconfig', ['--type', 'full', '--config', 'log/verbose=0', ...names]);
    if (hidesVolumes(stdout)) return ok('LVM of this host ignores attached volumes');
    return warn(
      'LVM of this host scans attached volumes: it can activate a volume group of a guest, and hang on a lost device',
      `in /etc/lvm/lvm.conf, section devices, set global_filter = [ "r|^${deviceDirectory}/|" ] without a final ` +
        '"a|.*|", which would accept other names of the same devices',
    );
  } catch (error) {
    if (error instanceof CommandError && error.failure.notFound) return ok('this host has no LVM');
    throw error;
  }
}

/** Whether these settings, as lvmconfig prints them, keep LVM from attached volumes. `exists` says whether a file does. */
export function hidesVolumes(settings: string, exists: (file: string) => boolean = existsSync): boolean {
  const setting = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(settings)?.[1] ?? '';
  const [file = ''] = stringsIn(setting('devicesfile'));
  // Without the file LVM uses all devices.
  if (setting('use_devicesfile') === '1' && exists(`${devicesDirectory}/${file || 'system.devices'}`)) return true;
  return ['global_filter', 'filter'].some((name) => rejects(stringsIn(setting(name))));
}

/**
 * Whether a filter rejects the volumes. Of each name of a device the first matching pattern decides, or none; one accepted name is
 * enough for LVM to use the device, and so is no decision at all (lvm.conf(5)).
 */
function rejects(patterns: readonly string[]): boolean {
  const rules = patterns.flatMap((text) => ruleIn(text) ?? []);
  const verdicts = [device, ...aliases].map((name) => rules.find(({ matches }) => matches(name))?.verb);
  return verdicts[0] === 'r' && !verdicts.includes('a');
}

/** A pattern is `a` or `r` and an expression between delimiters, which are brackets or twice the same character. */
function ruleIn(text: string): { verb: string; matches: (name: string) => boolean } | undefined {
  const [, verb, open = '', rest = ''] = /^([ar])(.)(.*)$/.exec(text) ?? [];
  const closing = { '(': ')', '[': ']', '{': '}' }[open] ?? open;
  if (verb === undefined || !rest.endsWith(closing)) return undefined;
  try {
    const expression = new RegExp(rest.slice(0, -1));
    return { verb, matches: (name) => expression.test(name) };
  } catch {
    return undefined; // an expression that LVM may understand, and Node.js does not
  }
}

/** The strings of a setting: a list, or one alone. */
function stringsIn(value: string): string[] {
  return Array.from(value.matchAll(/"((?:[^"\\]|\\.)*)"/g), ([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}
