import { backendId, backendsOf, placeText } from '../../lib/models/backend.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';

/** A volume with its host, `node@backend#pool`. */
export type HostedVolume = VolumeState & { host: string };

/** Reads each backend of the volumes once. */
export async function withHosts(store: Store, volumes: readonly VolumeState[]): Promise<HostedVolume[]> {
  const ids = new Set(volumes.map(({ node, backend }) => backendId(node, backend)));
  const { states } = await backendsOf(store).readAll([...ids]);
  const pools = new Map(states.map(({ id, pool }) => [id, pool]));
  return volumes.map((volume) => {
    const id = backendId(volume.node, volume.backend);
    return { ...volume, host: placeText(id, pools.get(id) ?? '') };
  });
}

export async function withHost(store: Store, volume: VolumeState): Promise<HostedVolume> {
  const [hosted] = await withHosts(store, [volume]);
  return hosted ?? { ...volume, host: backendId(volume.node, volume.backend) };
}
