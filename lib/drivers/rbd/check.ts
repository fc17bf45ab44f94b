import { type Finding, ok, warn } from '../../check.ts';
import { errors } from '../../errors.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import { byteSize } from '../../format-bytes.ts';
import type { Processes } from '../../process.ts';
import { reportedCapacity } from './capacity.ts';
import { RbdCommands } from '../../rbd/commands.ts';
import type { rbdFlags } from '../../rbd/flags.ts';
import { checkPool } from './pool.ts';

/** Checks the commands, the cluster, the pool and the rights of the user, and changes nothing. Throws the errors of checkPool. */
export async function checkRbd(flags: ValuesOf<typeof rbdFlags>, processes: Processes): Promise<Finding[]> {
  const { rbd_pool: pool, rbd_user: user, rbd_ceph_conf: conf, rbd_capacity_gib: stated } = flags;
  const commands = new RbdCommands({ pool, user, conf }, processes);
  const { fsid } = await checkPool(commands);
  const found = ok(`pool ${pool} of the Ceph cluster ${fsid}, as client.${user}`);
  if (stated > 0) return [found, ok(`pool ${pool}: ${byteSize(stated * 2 ** 30)} stated for volumes`)];
  const capacity = await reportedCapacity(commands);
  if (capacity !== undefined) return [found, ok(`pool ${pool}: ${byteSize(capacity)} for volumes`)];
  const { message, hint } = errors.capacityUnknown(pool);
  return [found, warn(message, hint ?? '')];
}
