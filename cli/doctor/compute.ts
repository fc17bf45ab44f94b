import { existsSync } from 'node:fs';
import { CommandError } from '../../lib/command-error.ts';
import { errors } from '../../lib/errors.ts';
import type { Processes } from '../../lib/process.ts';
import { type Finding, bad, ok, warn } from '../../lib/check.ts';

/** Checks what a host needs to connect AoE volumes as block devices; only a warning unless `isRequired`. */
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
