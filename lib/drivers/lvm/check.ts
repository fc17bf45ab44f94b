import { byteSize } from '../../byte-size.ts';
import { type Finding, ok } from '../../check.ts';
import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import type { Processes } from '../../process.ts';
import type { lvmFlags } from './flags.ts';

export async function checkVolumeGroup(flags: ValuesOf<typeof lvmFlags>, processes: Processes): Promise<Finding> {
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
    if (mayCreate) return ok(`the daemon will create volume group ${group} on ${devices.join(', ')}`);
    throw errors.noVolumeGroup(group);
  }
}
