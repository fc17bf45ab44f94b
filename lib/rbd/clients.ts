import { z } from 'zod';
import type { RbdCommands } from './commands.ts';

const statusShape = z.object({ watchers: z.array(z.object({ address: z.string() })) });

/** Returns the network addresses of the clients that have the image open; none where the image does not exist. */
export async function watchersOf(commands: RbdCommands, image: string): Promise<string[]> {
  const status = await commands.read(statusShape, ['status', image]);
  return [...new Set(status?.watchers.map(({ address }) => address) ?? [])];
}

const lockShape = z.object({ address: z.string() });
/** Before Ceph 14: an object, by the names of the locks. */
const locksShape = z.union([z.array(lockShape), z.record(z.string(), lockShape)]);

/**
 * Returns the addresses of the clients that may write to the image: also those that hold its lock and do not watch it, as Ceph
 * ends the watch of a client that is cut off for 30 s, and the client writes again when it reaches the cluster.
 */
export async function clientsOf(commands: RbdCommands, image: string): Promise<string[]> {
  const [watchers, locks] = await Promise.all([
    watchersOf(commands, image),
    commands.read(locksShape, ['lock', 'ls', image]),
  ]);
  return [...new Set([...watchers, ...Object.values(locks ?? {}).map(({ address }) => address)])];
}
