import { constants } from 'node:fs';
import { CommandError } from '../command-error.ts';
import type { Processes, RunOptions } from '../process.ts';

const claimed = 16;
const gone = 6;
const script = `exit 0 if sysopen my $device, $ARGV[0], $ARGV[1];
exit ${claimed} if $!{EBUSY};
exit ${gone} if $!{ENODEV} || $!{ENXIO} || $!{ENOENT};
die "$!\\n";`;

/**
 * Whether a mount or another device has a block device: the kernel refuses to open it exclusively then. In a child process, since the
 * kernel can wait for storage that does not answer before it opens, and nothing ends that. Throws CommandError.
 */
export async function isClaimed(processes: Processes, path: string, options: RunOptions): Promise<boolean> {
  try {
    await processes.run('perl', ['-e', script, path, String(constants.O_RDONLY | constants.O_EXCL)], options);
    return false;
  } catch (error) {
    const status = error instanceof CommandError ? error.failure.exitCode : undefined;
    if (status === claimed || status === gone) return status === claimed;
    throw error;
  }
}
