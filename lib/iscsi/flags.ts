import { isIP } from 'node:net';
import { isIscsiName, targetNameOf } from './address.ts';
import { flag, oneOf, text, whole, yesNo } from '../flags/flag.ts';

const anyId = '00000000-0000-0000-0000-000000000000';

/** Of every target that names its iSCSI targets itself. */
export const iscsiTargetPrefix = flag(
  text.refine(
    (prefix) => isIscsiName(targetNameOf(prefix, anyId)),
    'must be the beginning of an iqn. name, in lower case',
  ),
  'iqn.2010-10.org.openstack:',
  'beginning of the names of iSCSI targets; volume-<id> follows',
  { nodeWide: true },
);

/** Of every target that can ask for a secret. */
export const iscsiChap = flag(
  yesNo,
  true,
  'require a user and a generated secret (CHAP) of the hosts of new iSCSI attachments',
);

/** Flags that all iSCSI targets of this host have in common. */
export const iscsiFlags = {
  iscsi_ip_address: flag(
    text.refine(
      isUsableAddress,
      'must be one IPv4 or IPv6 address of this host, without brackets, not one of all addresses',
    ),
    '',
    'address of this host that iSCSI exports listen on; empty: its first IPv4 address that is not a loopback address',
    { nodeWide: true },
  ),
  iscsi_port: flag(whole(1, 65_535), 3260, 'TCP port of the iSCSI exports', { nodeWide: true }),
  iscsi_target_prefix: iscsiTargetPrefix,
  iscsi_chap: iscsiChap,
  iscsi_durability: flag(
    oneOf('sync', 'cached'),
    'sync',
    'writes over iSCSI that a power loss can lose: none that was acknowledged (sync), those that the host has not flushed (cached)',
  ),
};

/** One of all addresses would listen on interfaces that nobody asked for. */
export function isUsableAddress(address: string): boolean {
  return address === '' || (isIP(address) !== 0 && !/^(0\.0\.0\.0|[0:]*|::ffff:0\.0\.0\.0)$/.test(address));
}
