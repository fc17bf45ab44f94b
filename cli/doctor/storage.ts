import { type Check, type Finding, bad, ok, warn } from '../../lib/check.ts';
import { driverOf } from '../../lib/drivers/registry.ts';
import { statIfExists } from '../../lib/files.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Processes } from '../../lib/process.ts';
import { targetOf } from '../../lib/targets/registry.ts';

/** Returns the prerequisites of a storage node: its own, and those of its driver and target. */
export function checkStorage(flags: Flags, processes: Processes): readonly Check[] {
  return [
    () => checkStateDirectory(flags),
    ...driverOf(flags).check(flags, processes),
    ...targetOf(flags).check(flags, processes),
  ];
}

async function checkStateDirectory({ state_dir: directory }: Flags): Promise<Finding> {
  const state = await statIfExists(directory);
  if (!state) return warn(`${directory} does not exist yet`, 'the daemon creates it at its first start');
  if (!state.isDirectory()) return bad(`${directory} is not a directory`, 'move it away, or set state_dir');
  if ((state.mode & 0o022) !== 0) return bad(`others may write to ${directory}`, `chmod go-w ${directory}`);
  return ok(`state directory ${directory}`);
}
