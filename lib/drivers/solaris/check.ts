import { type Finding, ok, warn } from '../../check.ts';
import { byteSize } from '../../format-bytes.ts';
import type { SanShell } from '../../san/shell.ts';
import { SolarisCommands } from '../../san/solaris/commands.ts';
import { spaceIn } from './space.ts';
import { readDatasets } from './datasets.ts';
import { nodeProperty } from './labels.ts';

/** Logs in and reads the dataset. Throws what the connection and the driver throw. */
export async function checkDataset(shell: SanShell, base: string, node: string): Promise<Finding> {
  try {
    const found = await readDatasets(new SolarisCommands(shell), base);
    if (found.node !== '' && found.node !== node) {
      return warn(
        `ZFS dataset ${found.dataset} has the volumes of node ${found.node}`,
        `set san_zfs_volume_base to another dataset; if that node is gone: zfs inherit ${nodeProperty} ${found.dataset}`,
      );
    }
    const { freeBytes } = spaceIn(found);
    return ok(
      `ZFS dataset ${found.dataset} at ${shell.where}: ${byteSize(freeBytes)} of ${byteSize(found.totalBytes)} free`,
    );
  } finally {
    await shell.close();
  }
}
