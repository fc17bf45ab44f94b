import { AttachmentCommands } from '../../lib/client/attachment-commands.ts';
import { GroupCommands } from '../../lib/client/group-commands.ts';
import { GroupSnapshotCommands } from '../../lib/client/group-snapshot-commands.ts';
import { MigrationCommands } from '../../lib/client/migration-commands.ts';
import { NodeCommands } from '../../lib/client/node-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../lib/client/snapshot-commands.ts';
import { TransferCommands } from '../../lib/client/transfer-commands.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import type { Store } from '../../lib/redis/store.ts';

/** What a client can ask for once it is connected. */
export interface Joined {
  store: Store;
  /** The beginning of the names of topics. */
  topic: string;
  commands: VolumeCommands;
  attachments: AttachmentCommands;
  snapshots: SnapshotCommands;
  groups: GroupCommands;
  groupSnapshots: GroupSnapshotCommands;
  transfers: TransferCommands;
  migrations: MigrationCommands;
  nodes: NodeCommands;
}

export function joinedWith(store: Store, topic: string): Joined {
  const requests = new RequestClient(store);
  const commands = new VolumeCommands(store, requests, topic);
  return {
    store,
    topic,
    commands,
    attachments: new AttachmentCommands(store, commands),
    transfers: new TransferCommands(store, commands, topic),
    migrations: new MigrationCommands(store, commands, topic),
    snapshots: new SnapshotCommands(store, requests, topic),
    groups: new GroupCommands(store, commands),
    groupSnapshots: new GroupSnapshotCommands(store, requests, topic),
    nodes: new NodeCommands(store, requests, topic),
  };
}
