import { errors } from '../../lib/errors.ts';
import { backendId, backendsOf } from '../../lib/models/backend.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import { protocolOf } from '../../lib/targets/registry.ts';
import type { Protocol } from '../../lib/targets/target.ts';

/** Options that say which hosts may use an export, and how. */
export interface Admission {
  mode?: 'rw' | 'ro';
  mac?: readonly string[];
  initiator?: readonly string[];
  nqn?: readonly string[];
}

/** By what targets of each kind admit hosts: the option that gives it, and what it is. */
const admissions: Partial<Record<Protocol, readonly [option: string, what: string]>> = {
  aoe: ['--mac', 'the Ethernet addresses of the host'],
  iscsi: ['--initiator', 'the initiator name of the host'],
  nvme: ['--nqn', 'the NQN of the host'],
};

/** Each target admits hosts by addresses or names of its own kind, or by none; one gives no volume read-only. Throws InvalidArgument, ExportFailed. */
export async function checkExport(store: Store, volume: VolumeState, options: Admission): Promise<void> {
  const option = hostOption(options);
  if (option === undefined && options.mode === 'rw') return;
  const target = await targetOfVolume(store, volume);
  if (target === undefined) return;
  const { id } = volume;
  const protocol = protocolOf(target);
  if (protocol === 'nvme' && options.mode === 'ro') throw errors.readOnlyRefused(id, target);
  if (option === undefined || protocol === 'none') return;
  const [right, what] = admissions[protocol] ?? [];
  if (right === option) return;
  const hint = right === undefined ? `omit ${option}: the storage itself admits its hosts` : `give ${what}: ${right}`;
  throw errors.addressesOfOtherKind(id, option, target, hint);
}

/** The hosts that one of the options admits; undefined where none was given. */
export function hostsGiven({ mac, initiator, nqn }: Admission): readonly string[] | undefined {
  return mac ?? initiator ?? nqn;
}

export function hostOption({ mac, initiator, nqn }: Admission): string | undefined {
  if (mac !== undefined) return '--mac';
  if (initiator !== undefined) return '--initiator';
  return nqn === undefined ? undefined : '--nqn';
}

/** As the node of the volume reports it; undefined while it has not. */
export async function targetOfVolume(store: Store, { node, backend }: VolumeState): Promise<string | undefined> {
  const { states } = await backendsOf(store).readAll([backendId(node, backend)]);
  return states[0]?.target;
}
