import type { Domain } from '../../lib/connectors/virsh.ts';
import { errors } from '../../lib/errors.ts';
import { readMachineId } from '../../lib/machine.ts';
import type { AttachedVolume } from '../../lib/models/attachment.ts';
import { sameHosts } from '../../lib/targets/hosts.ts';
import { LocalDevice } from './local-device.ts';

/** Arguments of an attach to this host; absent ones were not given. */
export interface LocalRequest {
  mode: string;
  instance?: string | undefined;
  mountpoint?: string | undefined;
  host?: string | undefined;
  /** Of `--mac`, `--initiator` or `--nqn`. */
  hosts?: readonly string[] | undefined;
  domain?: Domain | undefined;
  libvirtUri: string;
}

/**
 * Whether the record has the attachment that is asked for: this host has it, as after a reboot, and only its device is to be connected
 * again. Throws VolumeAttached where this host has it otherwise, or is not admitted any more.
 */
export async function repeatsAttachment(volume: AttachedVolume, request: LocalRequest): Promise<boolean> {
  const { id, status, attachStatus } = volume;
  const { isRestored, hostId, hostName } = volume.use;
  if (status !== 'in-use' || attachStatus !== 'attached' || isRestored || hostId === '') return false;
  if (hostId !== (await readMachineId()).machine) return false;
  if (!(await LocalDevice.isHere(volume))) throw errors.notAdmitted(id, hostName, LocalDevice.otherHostOf(volume));
  const differences = differencesIn(volume, request);
  if (differences.length > 0) throw errors.attachedOtherwise(id, differences);
  return true;
}

/** Arguments that are not given are those of the attachment, except for the mode and the domain, which decide what is connected. */
function differencesIn({ use }: AttachedVolume, request: LocalRequest): string[] {
  const { instance, mountpoint, host, hosts, domain, mode, libvirtUri } = request;
  const pairs: [name: string, recorded: string, requested: string | undefined][] = [
    ['mode', use.mode, mode],
    ['domain', use.domain || 'none', domain?.uuid ?? 'none'],
    ['libvirt connection', use.libvirtUri, domain && libvirtUri],
    ['mount point', use.mountpoint, mountpoint],
    ['instance', use.instanceId, instance],
    ['host', use.hostName, host],
    ['allowed addresses', use.hosts.join(','), hosts && !sameHosts(use.hosts, hosts) ? hosts.join(',') : undefined],
  ];
  return pairs.flatMap(([name, recorded, requested]) =>
    requested === undefined || requested === recorded ? [] : `${name} ${recorded} instead of ${requested}`,
  );
}
