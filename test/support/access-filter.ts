import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Rules } from '../../lib/targets/aoe/filter/rules.ts';

/** Removes the filters that exports of a directory have left on an interface, as a reboot would. */
export async function removeAccessFilter(exportsDirectory: string, networkInterface = 'lo'): Promise<void> {
  for (const pref of new Rules(exportsDirectory).prefs) {
    const args = ['filter', 'del', 'dev', networkInterface, 'ingress', 'pref', String(pref)];
    await promisify(execFile)('tc', args).catch(() => {}); // there are none
  }
}
