import { type Check, type Finding, bad, ok, warn } from '../../lib/check.ts';
import { driverOf } from '../../lib/drivers/registry.ts';
import { statIfExists } from '../../lib/files.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import type { Processes } from '../../lib/process.ts';
import { targetOf } from '../../lib/targets/registry.ts';
import { runCheck } from './run-check.ts';

/** Returns the checks of a storage node: its own, and those of the driver and the target of each backend. */
export function checkStorage({ flags, backends }: LoadedFlags, processes: Processes): readonly Check[] {
  const several = backends.length > 1;
  return [
    () => checkStateDirectory(flags),
    ...backends.flatMap(({ name, flags: own }) => {
      const checks = [...driverOf(own).check(own, processes), ...targetOf(own).check(own, processes)];
      return several ? checks.map((check) => ofBackend(name, check)) : checks;
    }),
  ];
}

function ofBackend(name: string, check: Check): Check {
  return async () =>
    (await runCheck(check)).map(({ message, ...rest }) => Object.assign(rest, { message: `[${name}] ${message}` }));
}

async function checkStateDirectory({ state_dir: directory }: Flags): Promise<Finding> {
  const state = await statIfExists(directory);
  if (!state) return warn(`${directory} does not exist yet`, 'the daemon creates it at its first start');
  if (!state.isDirectory()) return bad(`${directory} is not a directory`, 'move it away, or set state_dir');
  if ((state.mode & 0o022) !== 0) return bad(`other users can write to ${directory}`, `chmod go-w ${directory}`);
  return ok(`state directory ${directory}`);
}
