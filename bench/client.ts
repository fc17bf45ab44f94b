import { silentLog } from '../lib/log.ts';
import { loadFlags } from '../lib/flags/load.ts';
import { RequestClient } from '../lib/client/request-client.ts';
import { VolumeCommands } from '../lib/client/volume-commands.ts';
import { connect } from '../lib/redis/connection.ts';
import { Store } from '../lib/redis/store.ts';

/** What any client of a cluster has: a store and commands, by the URL of its Redis. */
export async function makeClient(redis_url: string) {
  const { flags } = loadFlags({ embedded: { redis_url } });
  const connection = await connect(flags, silentLog);
  const store = new Store(connection, flags.redis_prefix);
  const commands = new VolumeCommands(store, new RequestClient(store), flags.volume_topic);
  return { store, commands, close: () => connection.close() };
}

export const newVolume = { size: 1, userId: 'bench-user', projectId: 'bench-project' };
export const deadline = { deadlineMs: 600_000 };
