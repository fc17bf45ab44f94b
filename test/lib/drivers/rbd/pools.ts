import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { RbdDriver, type RbdOptions } from '../../../../lib/drivers/rbd/driver.ts';
import { ChildProcesses, type Processes } from '../../../../lib/process.ts';
import { CephCluster, withoutCeph } from '../../../support/ceph.ts';
import { silentLog } from '../../../../lib/log.ts';

/** One cluster for the tests of a file. */
let cluster: CephCluster | undefined;

/** Call it first in a test file. */
export function startCeph(): void {
  if (withoutCeph !== undefined) return;
  test.before(async () => {
    cluster = await CephCluster.create();
  });
  test.after.always(() => cluster?.remove());
}

/** Of a real Ceph; skipped where it is not installed. */
export const real = withoutCeph === undefined ? test.serial : test.serial.skip;

export function ceph(): CephCluster {
  if (cluster === undefined) throw new Error('the cluster has not started');
  return cluster;
}

/** A driver on a pool of its own, as client.admin. */
export async function newPool(options: Partial<RbdOptions> = {}): Promise<RbdDriver> {
  const pool = `p-${randomUUID().slice(0, 8)}`;
  await ceph().createPool(pool);
  const driver = driverOn({ pool, ...options });
  await driver.setup();
  return driver;
}

export function driverOn(options: Partial<RbdOptions>, processes: Processes = new ChildProcesses()): RbdDriver {
  const defaults = {
    pool: 'rbd',
    user: 'admin',
    maxCloneDepth: 5,
    capacityBytes: 2.5 * 2 ** 30,
    imagePools: ['images'],
  };
  // Titles of cases are listed by a driver that is made before the cluster.
  const directory = join(cluster?.directory ?? tmpdir(), 'open-images', randomUUID());
  const { conf = ceph().conf } = options;
  return new RbdDriver({ ...defaults, directory, ...options, conf }, { processes, log: silentLog });
}
