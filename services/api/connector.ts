import { z } from 'zod';
import { hostAddresses } from '../../lib/aoe/ethernet.ts';
import type { HostOfAttachment } from '../../lib/client/attachment-commands.ts';
import { protocolOfAddress } from '../../lib/connectors/connection-info.ts';
import { errors } from '../../lib/errors.ts';
import { initiatorNames } from '../../lib/iscsi/address.ts';
import { backendId, backendsOf } from '../../lib/models/backend.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { hostNqns } from '../../lib/nvme/address.ts';
import type { Store } from '../../lib/redis/store.ts';
import { protocolOf } from '../../lib/targets/registry.ts';
import type { Protocol } from '../../lib/targets/target.ts';
import { optional } from './schemas.ts';

const text = optional(z.string().max(255));
const maxAddresses = 32;

/** Clients also write "as it is" as `null` in quotation marks. */
export const attachMode = z.union(
  [z.enum(['rw', 'ro']), z.union([z.null(), z.literal('null'), z.literal('')]).transform(() => undefined)],
  'must be rw or ro',
);

/** What a host says of itself, as os-brick makes it: the parts that are of use; the others are ignored. */
export const connector = z
  .object({
    host: text.describe('The name of the host'),
    initiator: text.describe('For iSCSI: the initiator name of the host'),
    nqn: text.describe('For NVMe: the NQN of the host'),
    mac_addresses: z
      .array(z.string().max(32))
      .max(maxAddresses)
      .nullish()
      .describe('For AoE: the Ethernet addresses of the host'),
    mountpoint: text.describe('The device in the instance, such as /dev/vdb'),
    mode: attachMode.optional(),
  })
  .meta({ id: 'Connector', description: 'What a host says of itself' });
export type Connector = z.output<typeof connector>;

/** By what targets of each kind admit hosts. */
const admissions: Partial<Record<Protocol, (given: Connector) => readonly [part: string, hosts: readonly string[]]>> = {
  aoe: ({ mac_addresses: addresses }) => ['mac_addresses', hostAddresses(addresses ?? [])],
  iscsi: ({ initiator }) => ['initiator', initiatorNames(initiator === undefined ? [] : [initiator])],
  nvme: ({ nqn }) => ['nqn', hostNqns(nqn === undefined ? [] : [nqn])],
};

/** Returns the host as the target of a volume admits it. Throws InvalidRequest for a part that it needs, InvalidArgument. */
export async function hostOf(store: Store, volume: VolumeState, given: Connector): Promise<HostOfAttachment> {
  const protocol = await protocolOfVolume(store, volume);
  const [part, hosts] = admissions[protocol]?.(given) ?? [];
  if (part !== undefined && hosts?.length === 0) {
    throw errors.invalidRequest([`connector.${part}: must be given, as volume ${volume.id} is reached by ${protocol}`]);
  }
  return {
    ...(hosts === undefined ? {} : { hosts }),
    ...(given.host === undefined ? {} : { hostName: given.host }),
    ...(given.mountpoint === undefined ? {} : { mountpoint: given.mountpoint }),
    ...(given.mode === undefined ? {} : { mode: given.mode }),
  };
}

/** A volume that has no address yet gets one of the target of its backend. */
async function protocolOfVolume(store: Store, { address, node, backend }: VolumeState): Promise<Protocol> {
  const known = protocolOfAddress(address);
  if (known !== undefined) return known;
  const { states } = await backendsOf(store).readAll([backendId(node, backend)]);
  return protocolOf(states[0]?.target);
}

/**
 * Returns the mode of a new attachment: as it was asked for, or as the volume permits. Throws NotOffered for an NVMe target, whose exports
 * cannot be read-only.
 */
export async function modeFor(store: Store, volume: VolumeState, asked: 'rw' | 'ro' | undefined): Promise<'rw' | 'ro'> {
  const mode = asked ?? (volume.isReadOnly ? 'ro' : 'rw');
  if (mode === 'ro' && (await protocolOfVolume(store, volume)) === 'nvme') {
    throw errors.notOffered(
      `volume ${volume.id} is exported by NVMe, where no host can be kept from writing`,
      'attach it with the mode rw, or move it to a backend with another target',
    );
  }
  return mode;
}

/** Throws NotOffered for a volume that its backend exports to nobody. */
export async function requireExport(store: Store, volume: VolumeState): Promise<void> {
  if ((await protocolOfVolume(store, volume)) !== 'none') return;
  throw errors.notOffered(
    `volume ${volume.id} is exported to no host: its backend has volume_target = none, or has not reported yet`,
    'move it to a backend with a target',
  );
}
