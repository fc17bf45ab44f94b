import { flag, text } from '../flags/flag.ts';
import { isIscsiName, targetNameOf } from './address.ts';

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
