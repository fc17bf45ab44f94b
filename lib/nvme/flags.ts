import { flag, text, whole } from '../flags/flag.ts';
import { reachableAddress } from '../flags/reachable-address.ts';
import { isNqn, nqnOf } from './address.ts';

const anyId = '00000000-0000-0000-0000-000000000000';

/** Flags of exports by NVMe over TCP. */
export const nvmeFlags = {
  nvme_ip_address: flag(
    reachableAddress({ also: '' }), // one of all addresses would listen on interfaces that nobody asked for
    '',
    'address of this host that NVMe exports listen on; empty: its first IPv4 address that is not a loopback address',
    { nodeWide: true },
  ),
  nvme_port: flag(whole(1, 65_535), 4420, 'TCP port of the NVMe exports', { nodeWide: true }),
  nvme_target_prefix: flag(
    text.refine((prefix) => isNqn(nqnOf(prefix, anyId)), 'must be the beginning of an nqn. name'),
    'nqn.2010-10.org.openstack:',
    'beginning of the names of NVMe subsystems; volume-<id> follows',
    { nodeWide: true },
  ),
};
