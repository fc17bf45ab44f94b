import { type Finding, ok, warn } from '../../check.ts';
import { type BlockstoreError, asError, errors } from '../../errors.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import { byteSize } from '../../format-bytes.ts';
import type { Processes } from '../../process.ts';
import { reportedCapacity } from './capacity.ts';
import { mayBlock } from '../../rbd/blocklist.ts';
import { RbdCommands } from '../../rbd/commands.ts';
import { checkOpening } from '../../rbd/open-images.ts';
import type { rbdFlags } from '../../rbd/flags.ts';
import { checkPool } from './pool.ts';

/** Checks the commands, the cluster, the pool and the rights of the user, and changes nothing. Throws the errors of checkPool. */
export async function checkRbd(flags: ValuesOf<typeof rbdFlags>, processes: Processes): Promise<Finding[]> {
  const { rbd_pool: pool, rbd_user: user, rbd_ceph_conf: conf, rbd_capacity_gib: stated } = flags;
  const commands = new RbdCommands({ pool, user, conf }, processes);
  const { fsid } = await checkPool(commands);
  return [
    ok(`pool ${pool} of the Ceph cluster ${fsid}, as client.${user}`),
    (await mayBlock(commands))
      ? ok(`client.${user} may block clients, as a forced detach does`)
      : warned(errors.clientNotBlocked(user, pool)),
    await checkCapacity(commands, stated),
    await checkData(commands, processes),
  ];
}

async function checkData({ cluster }: RbdCommands, processes: Processes): Promise<Finding> {
  try {
    await checkOpening(processes, cluster);
    return ok('volumes can be opened for images and backups');
  } catch (error) {
    const { message, hint = '' } = asError(error);
    return warn(`no volume can be opened for images and backups: ${message}`, hint);
  }
}

async function checkCapacity(commands: RbdCommands, stated: number): Promise<Finding> {
  const { pool } = commands.cluster;
  if (stated > 0) return ok(`pool ${pool}: ${byteSize(stated * 2 ** 30)} stated for volumes`);
  const capacity = await reportedCapacity(commands);
  return capacity === undefined
    ? warned(errors.capacityUnknown(pool))
    : ok(`pool ${pool}: ${byteSize(capacity)} for volumes`);
}

function warned({ message, hint = '' }: BlockstoreError): Finding {
  return warn(message, hint);
}
