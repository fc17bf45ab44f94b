import { existsSync } from 'node:fs';
import { type Finding, ok, warn } from '../../check.ts';
import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import { portalText } from '../../iscsi/address.ts';
import { checkIsHere, portalIn } from '../../iscsi/portal.ts';
import type { Processes } from '../../process.ts';
import { KernelConfigfs } from './configfs.ts';
import { checkDirectory, loadModules, modules, notRoot, thisKernel } from './kernel.ts';
import { portalHolder } from './portals.ts';

/** Checks that the modules are loaded or can be, and that configfs is mounted. Throws KernelTargetUnusable. */
export async function checkKernel(processes: Processes, { isRoot, directory } = thisKernel): Promise<Finding> {
  for (const module of modules) {
    if (existsSync(`/sys/module/${module}`)) continue;
    try {
      await processes.run('modinfo', [module]);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const hint = 'run a kernel with CONFIG_TARGET_CORE and CONFIG_ISCSI_TARGET, or set volume_target=iscsi-tgt';
      throw errors.kernelTargetUnusable(`this kernel has no module ${module}`, hint);
    }
  }
  if (!isRoot) throw notRoot();
  checkDirectory(directory);
  const absent = modules.filter((module) => !existsSync(`/sys/module/${module}`));
  return absent.length === 0
    ? ok("the kernel's iSCSI target (LIO) is loaded")
    : warn(`not all modules of the kernel's iSCSI target are loaded: ${absent.join(', ')}`, loadModules);
}

/** Checks that the kernel can listen on the portal, or does already. Throws PortalUnusable. */
export async function checkPortal(
  flags: { iscsi_ip_address: string; iscsi_port: number },
  processes: Processes,
): Promise<Finding> {
  const portal = portalIn(flags);
  const text = portalText(portal);
  checkIsHere(portal);
  const holder = await portalHolder(new KernelConfigfs(processes), portal);
  if (holder !== undefined) throw errors.portalTaken(text, holder);
  if (flags.iscsi_ip_address === '') {
    return warn(
      `iSCSI exports listen on ${text}, the first address of this host`,
      'another one may be the first after a change of interfaces: set iscsi_ip_address',
    );
  }
  return ok(`iSCSI portal ${text} is free, or served by the kernel`);
}
