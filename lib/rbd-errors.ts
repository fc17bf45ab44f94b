import { BlockstoreError } from './blockstore-error.ts';

/** What gives a user all rights on a pool. */
function grant(verb: string, user: string, pool: string): string {
  return `ceph auth ${verb} client.${user} mon 'profile rbd' osd 'profile rbd pool=${pool}'`;
}

/** Errors of Ceph: clusters, pools, users, and commands of rbd. */
export const rbdErrors = {
  cephUnreachable: (pool: string, monitors: string, reason: string) =>
    new BlockstoreError(
      'CephUnreachable',
      'unavailable',
      `Ceph does not answer for pool ${pool} (monitors ${monitors}): ${reason}`,
      'check the cluster ("ceph -s"), the network to its monitors and OSDs, and mon_host in the file rbd_ceph_conf',
    ),
  noCephPool: (pool: string) =>
    new BlockstoreError(
      'NoCephPool',
      'failed',
      `Ceph has no pool ${pool}`,
      `set rbd_pool, or create it: ceph osd pool create ${pool}; rbd pool init ${pool}`,
    ),
  cephDenied: (pool: string, user: string, reason: string) =>
    new BlockstoreError(
      'CephDenied',
      'failed',
      `Ceph refuses user client.${user} for pool ${pool}: ${reason}`,
      'check rbd_user, its keyring (the option keyring of the file rbd_ceph_conf) and its rights: ' +
        grant('get-or-create', user, pool),
    ),
  cephConfiguration: (file: string, reason: string) =>
    new BlockstoreError(
      'CephConfiguration',
      'failed',
      `the configuration of Ceph ${file} cannot be used: ${reason}`,
      'set rbd_ceph_conf to a file with at least mon_host, which the user of the daemon can read',
    ),
  capacityUnknown: (pool: string) =>
    new BlockstoreError(
      'CapacityUnknown',
      'failed',
      `Ceph gives no capacity for pool ${pool}: no manager (ceph-mgr) has reported any`,
      'start a ceph-mgr, or set rbd_capacity_gib to the space that volumes may use',
    ),
  clientNotBlocked: (user: string, pool: string, open?: { volume: string; client: string }) =>
    new BlockstoreError(
      'ClientNotBlocked',
      'denied',
      open === undefined
        ? `client.${user} may not block clients of Ceph: a forced detach of a volume that a host still has open fails`
        : `the client at ${open.client} still has volume ${open.volume} open, and client.${user} may not block it`,
      `let the user block clients: ${grant('caps', user, pool)}`,
    ),
  volumeStillOpen: (volume: string, client: string, reason: string, hint: string) =>
    new BlockstoreError(
      'VolumeStillOpen',
      'conflict',
      `volume ${volume} is still open by the client at ${client}, ${reason}`,
      hint,
    ),
  rbdFailed: (command: string, reason: string) =>
    new BlockstoreError(
      'RbdFailed',
      'failed',
      `"${command}" failed: ${reason}`,
      'correct the cause that Ceph names, then retry',
    ),
};
