import { BlockstoreError } from './blockstore-error.ts';

/** Errors of exports by NVMe over TCP. */
export const nvmeErrors = {
  nvmePortalUnusable: (portal: string, reason: string, hint: string) =>
    new BlockstoreError('PortalUnusable', 'failed', `cannot listen on the NVMe portal ${portal}: ${reason}`, hint),
  nvmePortalTaken: (portal: string, holder: string) =>
    new BlockstoreError(
      'PortalUnusable',
      'failed',
      `cannot listen on the NVMe portal ${portal}: ${holder} listens there`,
      'stop what listens there, or set nvme_port or nvme_ip_address',
    ),
  readOnlyRefused: (volume: string, target: string) =>
    new BlockstoreError(
      'ExportFailed',
      'failed',
      `could not export volume ${volume}: its target ${target} cannot keep a host from writing, so it exports nothing read-only`,
      'attach the volume with --mode rw, or move it to a backend with another target',
    ),
};
