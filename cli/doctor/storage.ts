import { CommandError } from '../../lib/command-error.ts';
import { errors } from '../../lib/errors.ts';
import { statIfExists } from '../../lib/files.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Processes } from '../../lib/process.ts';
import { checkInterface } from '../../lib/targets/aoe/interface.ts';
import { needsSudo } from '../../lib/targets/aoe/rights.ts';
import { byteSize } from '../format.ts';
import { type Finding, bad, ok, warn } from './finding.ts';

/** What a storage node needs, by its driver and target. */
export function checkStorage(flags: Flags, processes: Processes): (() => Promise<Finding>)[] {
  const checks = [() => checkStateDirectory(flags)];
  if (flags.fake_storage) return [...checks, async () => ok('fake_storage: no storage and no network is touched')];
  if (flags.volume_driver === 'lvm') checks.push(() => checkVolumeGroup(flags, processes));
  if (flags.volume_driver === 'file') checks.push(() => checkPool(flags));
  if (flags.volume_target === 'aoe') {
    checks.push(
      () => checkCarrier(flags),
      () => checkVblade(flags, processes),
    );
  }
  return checks;
}

async function checkStateDirectory({ state_dir: directory }: Flags): Promise<Finding> {
  const state = await statIfExists(directory);
  if (!state) return warn(`${directory} does not exist yet`, 'the daemon makes it at its first start');
  if (!state.isDirectory()) return bad(`${directory} is not a directory`, 'move it away, or set state_dir');
  if ((state.mode & 0o022) !== 0) return bad(`others may write to ${directory}`, `chmod go-w ${directory}`);
  return ok(`state directory ${directory}`);
}

async function checkVolumeGroup(flags: Flags, processes: Processes): Promise<Finding> {
  const { volume_group: group, storage_dev: devices, storage_create: mayCreate } = flags;
  const only = devices.length === 0 ? [] : ['--devices', devices.join(',')];
  const columns = ['--noheadings', '--nosuffix', '--units', 'b', '--options', 'vg_size,vg_free'];
  try {
    const { stdout } = await processes.run('vgs', [...only, ...columns, group], { asRoot: true });
    const [, size, free] = /^\s*(\d+)\s+(\d+)\s*$/.exec(stdout) ?? [];
    if (size === undefined || free === undefined) throw errors.answerUnreadable('vgs', stdout);
    return ok(`volume group ${group}: ${byteSize(Number(free))} free of ${byteSize(Number(size))}`);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.failure.notFound) throw errors.commandMissing('vgs', 'lvm2');
    if (!/not found/.test(error.failure.stderr)) throw error;
    if (mayCreate) return ok(`the daemon will make volume group ${group} on ${devices.join(', ')}`);
    throw errors.noVolumeGroup(group);
  }
}

async function checkPool({ volume_pool_dir: directory }: Flags): Promise<Finding> {
  const state = await statIfExists(directory);
  if (!state) return warn(`${directory} does not exist yet`, 'the daemon makes it at its first start');
  return state.isDirectory() ? ok(`pool ${directory}`) : bad(`${directory} is not a directory`, 'set volume_pool_dir');
}

async function checkCarrier({ aoe_eth_dev: name }: Flags): Promise<Finding> {
  if (checkInterface(name) === 'running') return ok(`network interface ${name} is up`);
  return warn(`network interface ${name} is up but has no carrier`, 'see its cable and switch port');
}

/** Installed, and with the right to raw sockets. */
async function checkVblade({ aoe_eth_dev: name }: Flags, processes: Processes): Promise<Finding> {
  const bySudo = await needsSudo(name, processes);
  return ok(bySudo ? 'vblade may open raw sockets by sudo' : 'vblade may open raw sockets');
}
