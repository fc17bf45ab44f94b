import type { AttachmentState } from '../../lib/models/attachment-state.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import { backendId, backendsOf, placeText } from '../../lib/models/backend.ts';
import { migrationsOf } from '../../lib/models/migration.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';

/** A volume with its attachments, its host, `node@backend#pool`, and the one that it migrates to, `node@backend`; '' = none. */
export type HostedVolume = VolumeState & { host: string; destination: string; uses: readonly AttachmentState[] };

/** Reads each backend of the volumes once. */
export async function withHosts(store: Store, volumes: readonly VolumeState[]): Promise<HostedVolume[]> {
  const ids = new Set(volumes.map(({ node, backend }) => backendId(node, backend)));
  const { states } = await backendsOf(store).readAll([...ids]);
  const pools = new Map(states.map(({ id, pool }) => [id, pool]));
  const migrating = volumes.flatMap(({ migration }) => (migration === '' ? [] : [migration]));
  const migrations = await migrationsOf(store).readAll(migrating);
  const places = new Map(migrations.states.map(({ id, node, backend }) => [id, backendId(node, backend)]));
  const attachments = await attachmentsOf(store).readAll(volumes.flatMap((volume) => volume.attachments));
  const uses = new Map(attachments.states.map((one) => [one.id, one]));
  return volumes.map((volume) => {
    const id = backendId(volume.node, volume.backend);
    const destination = places.get(volume.migration) ?? '';
    const own = volume.attachments.flatMap((one) => uses.get(one) ?? []);
    return { ...volume, host: placeText(id, pools.get(id) ?? ''), destination, uses: own };
  });
}

export async function withHost(store: Store, volume: VolumeState): Promise<HostedVolume> {
  const [hosted] = await withHosts(store, [volume]);
  return hosted ?? { ...volume, host: backendId(volume.node, volume.backend), destination: '', uses: [] };
}
