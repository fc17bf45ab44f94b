import { type Finding, ok, warn } from '../../check.ts';
import { portalText } from '../../iscsi/address.ts';
import { portalAt } from '../../iscsi/portal.ts';
import type { Processes } from '../../process.ts';
import { KernelConfigfs } from '../configfs.ts';
import { checkKernelTarget, thisKernel } from '../kernel-target.ts';
import { nvmeTarget } from './kernel.ts';
import { Ports } from './ports.ts';

/** Checks that the kernel has the target. Throws KernelTargetUnusable. */
export function checkKernel(processes: Processes): Promise<Finding> {
  return checkKernelTarget(nvmeTarget, processes, thisKernel(nvmeTarget));
}

/** Checks that the kernel can listen on the portal, or does already. Throws PortalUnusable. */
export async function checkPortal(
  flags: { nvme_ip_address: string; nvme_port: number },
  processes: Processes,
): Promise<Finding> {
  const portal = portalAt(flags.nvme_ip_address, flags.nvme_port);
  const text = portalText(portal);
  await new Ports(new KernelConfigfs(processes, nvmeTarget.directory), portal).check();
  if (flags.nvme_ip_address === '') {
    return warn(
      `NVMe exports listen on ${text}, the first address of this host`,
      'another one may be the first after a change of interfaces: set nvme_ip_address',
    );
  }
  return ok(`NVMe portal ${text} is free, or served by the kernel`);
}
