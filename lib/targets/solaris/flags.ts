import { iscsiChap, iscsiTargetPrefix } from '../../iscsi/flags.ts';
import { solarisFlags } from '../../san/solaris/flags.ts';

export const solarisTargetFlags = { ...solarisFlags, iscsi_target_prefix: iscsiTargetPrefix, iscsi_chap: iscsiChap };
