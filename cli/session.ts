import { hostname } from 'node:os';
import type { Flags } from '../lib/flags/definitions.ts';
import { redirectForeignOutput } from '../lib/foreign-output.ts';
import type { Log } from '../lib/log.ts';
import { AttachmentCommands } from '../lib/client/attachment-commands.ts';
import { BackupCommands } from '../lib/client/backup-commands.ts';
import { ImageCommands } from '../lib/client/image-commands.ts';
import { MigrationCommands } from '../lib/client/migration-commands.ts';
import { NodeCommands } from '../lib/client/node-commands.ts';
import { RequestClient } from '../lib/client/request-client.ts';
import { SnapshotCommands } from '../lib/client/snapshot-commands.ts';
import { TransferCommands } from '../lib/client/transfer-commands.ts';
import { VolumeCommands } from '../lib/client/volume-commands.ts';
import { connect } from '../lib/redis/connection.ts';
import { Store } from '../lib/redis/store.ts';
import { currentUser } from './current-user.ts';
import type { Output } from './output.ts';

/** An open connection to the cluster, with the clients that use it. */
export interface Session extends AsyncDisposable {
  readonly flags: Flags;
  readonly store: Store;
  readonly commands: VolumeCommands;
  readonly attachments: AttachmentCommands;
  readonly snapshots: SnapshotCommands;
  readonly images: ImageCommands;
  readonly backups: BackupCommands;
  readonly transfers: TransferCommands;
  readonly migrations: MigrationCommands;
  readonly nodeCommands: NodeCommands;
}

/** Throws RedisUnreachable, RedisDenied. */
export async function openSession(flags: Flags, output: Output): Promise<Session> {
  const log = noteLogger(output);
  redirectForeignOutput(log);
  const connection = await connect(flags, log);
  const by = `${currentUser().name}@${hostname()}`;
  const store = new Store(connection, flags.redis_prefix, { minReplicas: flags.redis_min_replicas, by });
  const client = new RequestClient(store);
  const commands = new VolumeCommands(store, client, flags.volume_topic);
  return {
    flags,
    store,
    commands,
    attachments: new AttachmentCommands(store, commands),
    transfers: new TransferCommands(store, commands, flags.volume_topic),
    migrations: new MigrationCommands(store, commands, flags.volume_topic),
    snapshots: new SnapshotCommands(store, client, flags.volume_topic),
    images: new ImageCommands(store, client, flags.volume_topic),
    backups: new BackupCommands(store, client, flags.volume_topic),
    nodeCommands: new NodeCommands(store, client, flags.volume_topic),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** Returns a log that writes to stderr: a long wait reports the loss and return of Redis. */
function noteLogger(output: Output): Log {
  const note = (message: string) => output.note(message);
  return { error: note, warn: note, info: note, debug() {} };
}
