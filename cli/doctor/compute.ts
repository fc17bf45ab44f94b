import { existsSync } from 'node:fs';
import { CommandError } from '../../lib/command-error.ts';
import type { Processes } from '../../lib/process.ts';
import { type Finding, bad, ok, warn } from './finding.ts';

/** What a host needs where volumes become block devices; elsewhere its lack is no harm. */
export async function checkAttaching(processes: Processes, isWanted: boolean): Promise<Finding> {
  if (existsSync('/sys/module/aoe')) return ok('the kernel module aoe is loaded');
  try {
    await processes.run('modinfo', ['aoe']);
    return ok('the kernel module aoe is there; "blockstore volume attach --host-device" loads it');
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.failure.exitCode !== 1 && !error.failure.notFound) throw error; // it says nothing of the module
    const level = isWanted ? bad : warn;
    return level(
      'the kernel module aoe is not there: no volume can become a block device of this host',
      'if that is wanted, run a kernel with CONFIG_ATA_OVER_ETH (on Debian linux-image-amd64, not the cloud kernel)',
    );
  }
}
