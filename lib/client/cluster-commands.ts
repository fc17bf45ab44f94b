import type { Store } from '../redis/store.ts';
import { AttachmentCommands } from './attachment-commands.ts';
import { BackupCommands } from './backup-commands.ts';
import { GroupCommands } from './group-commands.ts';
import { GroupSnapshotCommands } from './group-snapshot-commands.ts';
import { ImageCommands } from './image-commands.ts';
import { LegacyAttachCommands } from './legacy-attach-commands.ts';
import { MigrationCommands } from './migration-commands.ts';
import { NodeCommands } from './node-commands.ts';
import type { RecentCandidates } from './placement.ts';
import type { RequestClient } from './request-client.ts';
import { SnapshotCommands } from './snapshot-commands.ts';
import { TransferCommands } from './transfer-commands.ts';
import { VolumeCommands } from './volume-commands.ts';

/** The commands that can be sent to a cluster. */
export interface ClusterCommands {
  readonly store: Store;
  readonly commands: VolumeCommands;
  readonly attachments: AttachmentCommands;
  readonly legacyAttach: LegacyAttachCommands;
  readonly snapshots: SnapshotCommands;
  readonly groups: GroupCommands;
  readonly groupSnapshots: GroupSnapshotCommands;
  readonly images: ImageCommands;
  readonly backups: BackupCommands;
  readonly transfers: TransferCommands;
  readonly migrations: MigrationCommands;
  readonly nodeCommands: NodeCommands;
}

/** Returns the commands of one requester, that of the store. `recent`: shared by the requesters of a process. */
export function clusterCommands(
  store: Store,
  { client, topic, recent }: { client: RequestClient; topic: string; recent?: RecentCandidates },
): ClusterCommands {
  const commands = new VolumeCommands(store, client, topic, recent);
  const attachments = new AttachmentCommands(store, commands);
  return {
    store,
    commands,
    attachments,
    legacyAttach: new LegacyAttachCommands(store, commands, attachments),
    transfers: new TransferCommands(store, commands, topic),
    migrations: new MigrationCommands(store, commands, topic),
    snapshots: new SnapshotCommands(store, client, topic),
    groups: new GroupCommands(store, commands),
    groupSnapshots: new GroupSnapshotCommands(store, client, topic),
    images: new ImageCommands(store, client, topic),
    backups: new BackupCommands(store, client, topic),
    nodeCommands: new NodeCommands(store, client, topic),
  };
}
