import { type Finding, ok, warn } from '../../check.ts';
import { errors } from '../../errors.ts';
import { portalText } from '../../iscsi/address.ts';
import { checkIsHere, portalIn } from '../../iscsi/portal.ts';
import type { Processes } from '../../process.ts';
import { KernelConfigfs } from '../configfs.ts';
import { checkKernelTarget, thisKernel } from '../kernel-target.ts';
import { lio } from './kernel.ts';
import { portalHolder } from './portals.ts';

/** Checks that the kernel has the target. Throws KernelTargetUnusable. */
export function checkKernel(processes: Processes): Promise<Finding> {
  return checkKernelTarget(lio, processes, thisKernel(lio));
}

/** Checks that the kernel can listen on the portal, or does already. Throws PortalUnusable. */
export async function checkPortal(
  flags: { iscsi_ip_address: string; iscsi_port: number },
  processes: Processes,
): Promise<Finding> {
  const portal = portalIn(flags);
  const text = portalText(portal);
  checkIsHere(portal);
  const holder = await portalHolder(new KernelConfigfs(processes, lio.directory), portal);
  if (holder !== undefined) throw errors.portalTaken(text, holder);
  if (flags.iscsi_ip_address === '') {
    return warn(
      `iSCSI exports listen on ${text}, the first address of this host`,
      'another one may be the first after a change of interfaces: set iscsi_ip_address',
    );
  }
  return ok(`iSCSI portal ${text} is free, or served by the kernel`);
}
