import { z } from 'zod';
import type { RbdCommands } from '../../rbd/commands.ts';

const shape = z.object({
  pools: z.array(z.object({ name: z.string(), stats: z.object({ stored: z.number(), max_avail: z.number() }) })),
});

/**
 * Returns the bytes that clients can store in the pool, what they have stored included; undefined where no manager has reported any:
 * Ceph then gives zeros, or no pool. The copies that the pool keeps are counted already.
 */
export async function reportedCapacity(commands: RbdCommands): Promise<number | undefined> {
  const { pools } = await commands.ceph(shape, ['df']);
  const stats = pools.find(({ name }) => name === commands.cluster.pool)?.stats;
  const bytes = stats === undefined ? 0 : stats.stored + stats.max_avail;
  return bytes > 0 ? bytes : undefined;
}
