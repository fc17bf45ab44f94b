import { hostname } from 'node:os';
import type { Flags } from '../lib/flags/definitions.ts';
import { redirectForeignOutput } from '../lib/foreign-output.ts';
import type { Log } from '../lib/log.ts';
import { type ClusterCommands, clusterCommands } from '../lib/client/cluster-commands.ts';
import { RequestClient } from '../lib/client/request-client.ts';
import { connect } from '../lib/redis/connection.ts';
import { Store } from '../lib/redis/store.ts';
import { currentUser } from './current-user.ts';
import type { Output } from './output.ts';

/** An open connection to the cluster, with the clients that use it. */
export interface Session extends AsyncDisposable, ClusterCommands {
  readonly flags: Flags;
}

/** Throws RedisUnreachable, RedisDenied. */
export async function openSession(flags: Flags, output: Output): Promise<Session> {
  const log = noteLogger(output);
  redirectForeignOutput(log);
  const connection = await connect(flags, log);
  const by = `${currentUser().name}@${hostname()}`;
  const store = new Store(connection, flags.redis_prefix, { minReplicas: flags.redis_min_replicas, by });
  return {
    flags,
    ...clusterCommands(store, { client: new RequestClient(store), topic: flags.volume_topic }),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** Returns a log that writes to stderr: a long wait reports the loss and return of Redis. */
function noteLogger(output: Output): Log {
  const note = (message: string) => output.note(message);
  return { error: note, warn: note, info: note, debug() {} };
}
