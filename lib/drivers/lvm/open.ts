import { BlockstoreError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Processes } from '../../process.ts';
import { lvmSettings, makeSystemDirectory, shellSettings } from './configuration.ts';
import { ForkedLvm } from './forked.ts';
import type { Lvm } from './lvm.ts';
import { ShellLvm } from './shell.ts';

const probeTimeoutMs = 10_000;

/**
 * Returns the fastest way to run LVM commands: a resident shell if this process is root and the host's LVM can report on a
 * separate descriptor, else a process per command.
 */
export async function openLvm(
  processes: Processes,
  log: Log,
  place: { directory: string; devices: readonly string[] },
): Promise<Lvm> {
  const settings = await lvmSettings(place.devices);
  if (process.getuid?.() !== 0) return new ForkedLvm(processes, settings);
  const ownSettings = await shellSettings(place.directory, place.devices);
  const shell = new ShellLvm(processes, await makeSystemDirectory(processes, place.directory, ownSettings));
  try {
    await shell.command(['vgs'], { timeoutMs: probeTimeoutMs });
    return shell;
  } catch (error) {
    await shell.close();
    if (!(error instanceof BlockstoreError) || error.code !== 'LvmInterrupted') throw error;
    log.warn('no resident lvm shell on this host; every LVM command will be a process', { reason: error.message });
    return new ForkedLvm(processes, settings);
  }
}
