import type { Portal } from '../../iscsi/address.ts';
import { kernelPortalOn, type ObjectList } from '../../iscsi/kernel-portals.ts';
import { listenerOn } from '../../iscsi/listeners.ts';

/**
 * Returns a description of what listens where the portal would; undefined where nothing does, or a target of the kernel on just that
 * address: the kernel lets targets share a portal.
 */
export async function portalHolder(configfs: ObjectList, portal: Portal): Promise<string | undefined> {
  const found = await kernelPortalOn(portal, configfs);
  if (found) return found.isSame ? undefined : found.description;
  return listenerOn(portal);
}
