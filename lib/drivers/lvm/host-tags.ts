import type { Processes } from '../../process.ts';
import { fixedSettings } from './settings.ts';

/** Returns the tags of this host (lvm.conf, section tags), which lvmconfig does not print. */
export async function hostTags(processes: Processes): Promise<string[]> {
  const { stdout } = await processes.run('lvm', ['tags', '--config', fixedSettings.join(' ')], { asRoot: true });
  return stdout.split('\n').flatMap((line) => /^\s*([\w+.-]+)\s*$/.exec(line)?.[1] ?? []);
}
