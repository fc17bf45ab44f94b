import { flag, text, whole, yesNo } from '../flags/flag.ts';
import { reachableAddress } from '../flags/reachable-address.ts';

/** Flags of storage that is controlled over SSH. Drivers and targets of such storage share these definitions. */
export const sanFlags = {
  san_ip: flag(
    reachableAddress({ also: '' }),
    '',
    'address of the storage, for SSH and for the iSCSI exports of the target solaris; required by these drivers',
  ),
  san_ssh_port: flag(whole(1, 65_535), 22, 'TCP port of SSH on the storage; SAN/iQ of LeftHand has 16022'),
  san_login: flag(
    text.regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/, 'must be letters, digits and _ . @ -'),
    'admin',
    'user that logs in to the storage',
  ),
  san_password: flag(text, '', 'password of san_login; empty: san_private_key is used alone', { secret: true }),
  san_private_key: flag(
    text.regex(/^$|^\//, 'must be an absolute path'),
    '',
    'file with the private key of san_login, without a passphrase',
  ),
  san_is_local: flag(yesNo, false, 'run the commands of the storage on this host, without SSH'),
  san_accept_new_host_key: flag(
    yesNo,
    false,
    'trust the host key of the storage at the first connection; false: it must be in <state_dir>/san/known_hosts',
  ),
  san_thin_provision: flag(yesNo, true, 'allocate the space of volumes when it is written'),
};
