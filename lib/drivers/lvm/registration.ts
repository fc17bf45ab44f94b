import path from 'node:path';
import { defineDriver } from '../driver.ts';
import { lvmFlags } from './flags.ts';

export const lvm = defineDriver({
  name: 'lvm',
  flags: lvmFlags,
  storage: ({ volume_group: group }) => `volume group ${group}`,
  make: async (flags, context) => {
    const { LvmDriver } = await import('./driver.ts');
    return new LvmDriver(
      {
        volumeGroup: flags.volume_group,
        storageDev: flags.storage_dev,
        storageCreate: flags.storage_create,
        volumeClear: flags.volume_clear,
        volumeClearMiBps: flags.volume_clear_mibps,
        snapshotPercent: flags.lvm_snapshot_percent,
        lvmType: flags.lvm_type,
        thinPool: flags.lvm_thin_pool,
        maxOverSubscription: flags.max_over_subscription_ratio,
        numShellTries: flags.num_shell_tries,
        directory: directoryOf(flags),
      },
      context,
    );
  },
  check: (flags, processes) => [
    async () => (await import('./check.ts')).checkVolumeGroup(flags, directoryOf(flags), processes),
  ],
});

/** Where the driver keeps its configuration of LVM, and the UUID of its group. */
function directoryOf(flags: { state_dir: string; volume_group: string }): string {
  return path.join(flags.state_dir, 'lvm', flags.volume_group);
}
