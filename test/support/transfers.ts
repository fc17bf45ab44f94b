import { RequestClient } from '../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../lib/client/snapshot-commands.ts';
import { TransferCommands } from '../../lib/client/transfer-commands.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import { Cluster } from './cluster.ts';

export const deadline = { deadlineMs: 60_000 };
/** Who has a volume at first, and who gets it. */
export const owner = { userId: 'ann', projectId: 'web' };
export const receiver = { userId: 'bob', projectId: 'lab' };
export const newVolume = { ...owner, size: 1 };
export const offer = { withSnapshots: true, lengthMs: 3_600_000 };
export const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

/** A cluster with the clients that transfers need. */
export interface TransferPlace {
  cluster: Cluster;
  store: Store;
  volumes: VolumeCommands;
  snapshots: SnapshotCommands;
  transfers: TransferCommands;
  read: (id: string) => Promise<VolumeState>;
  /** Ids of the volumes of a project. */
  inProject: (project: string) => Promise<string[]>;
}

export async function transferPlace(): Promise<TransferPlace> {
  const cluster = await Cluster.start();
  const [store, volumes] = [await cluster.store(), await cluster.commands()];
  return {
    cluster,
    store,
    volumes,
    snapshots: new SnapshotCommands(store, new RequestClient(store), 'volume'),
    transfers: new TransferCommands(store, volumes, 'volume'),
    read: (id) => volumesOf(store).lookup(id),
    inProject: (project) => store.redis.zrange(store.keys.projectVolumes(project), '0', '-1'),
  };
}
