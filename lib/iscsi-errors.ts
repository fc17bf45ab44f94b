import { BlockstoreError } from './blockstore-error.ts';

/** Errors of iSCSI targets. */
export const iscsiErrors = {
  portalUnusable: (portal: string, reason: string, hint: string) =>
    new BlockstoreError('PortalUnusable', 'failed', `cannot listen on the iSCSI portal ${portal}: ${reason}`, hint),
  portalTaken: (portal: string, holder: string) =>
    new BlockstoreError(
      'PortalUnusable',
      'failed',
      `cannot listen on the iSCSI portal ${portal}: ${holder} listens there`,
      'stop that program (the tgtd of the distribution: systemctl disable --now tgt; that of volume_target=iscsi-tgt: systemctl stop blockstore-tgtd), or set iscsi_port or iscsi_ip_address',
    ),
  portalOfKernel: (portal: string, holder: string) =>
    new BlockstoreError(
      'PortalUnusable',
      'failed',
      `cannot listen on the iSCSI portal ${portal}: ${holder} listens there`,
      'remove it there (targetcli; for exports of volume_target=iscsi-lio: detach the volumes), or set iscsi_port or iscsi_ip_address',
    ),
  targetDaemonFailed: (reason: string) =>
    new BlockstoreError(
      'TargetDaemonFailed',
      'failed',
      `the iSCSI target daemon (tgtd) of this node does not serve: ${reason}`,
      'the daemon starts it again by itself; its messages are in <state_dir>/iscsi/tgtd.log and in the journal',
    ),
  kernelTargetUnusable: (target: string, reason: string, hint: string) =>
    new BlockstoreError('KernelTargetUnusable', 'failed', `${target} of this node cannot be used: ${reason}`, hint),
  sessionsStay: (volume: string, reason: string) =>
    new BlockstoreError(
      'ExportStays',
      'failed',
      `could not stop the export of volume ${volume}: ${reason}`,
      `check for hanging storage (dmesg) on the node, then retry: blockstore volume detach ${volume}`,
    ),
  addressesOfOtherKind: (volume: string, option: string, target: string, right: string) =>
    new BlockstoreError(
      'InvalidArgument',
      'invalid',
      `volume ${volume} is exported by the target ${target}, whose hosts are not admitted by ${option}`,
      right,
    ),
};
