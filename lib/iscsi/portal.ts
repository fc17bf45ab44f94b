import { networkInterfaces } from 'node:os';
import { errors } from '../errors.ts';
import { type Portal, portalText } from './address.ts';
import { canonicalIp } from './canonical-ip.ts';
import { type ObjectList, kernelPortalOn } from './kernel-portals.ts';
import { listenerOn } from './listeners.ts';

/** The portal that flags describe. Without an address of this host it has a loopback address, which reaches nobody else. */
export function portalIn(flags: { iscsi_ip_address: string; iscsi_port: number }): Portal {
  return portalAt(flags.iscsi_ip_address, flags.iscsi_port);
}

/** The same for an address that is given, or ''. */
export function portalAt(address: string, port: number): Portal {
  const first = hostAddresses().find(({ family, internal }) => family === 'IPv4' && !internal);
  return { ip: canonicalIp(address || (first?.address ?? '127.0.0.1')), port };
}

/** Before a program begins to listen. Throws PortalUnusable. */
export async function checkPortalUsable(portal: Portal, kernelObjects?: ObjectList): Promise<void> {
  checkIsHere(portal);
  await checkKernelIsElsewhere(portal, kernelObjects);
  const holder = await listenerOn(portal);
  if (holder !== undefined) throw errors.portalTaken(portalText(portal), holder);
}

/** For a program, which cannot share a portal with the kernel's own target. Throws PortalUnusable. */
export async function checkKernelIsElsewhere(portal: Portal, kernelObjects?: ObjectList): Promise<void> {
  const found = await kernelPortalOn(portal, kernelObjects);
  if (found) throw errors.portalOfKernel(portalText(portal), found.description);
}

/** Throws PortalUnusable for an address that this host does not have. */
export function checkIsHere(portal: Portal): void {
  if (isHere(portal)) return;
  throw errors.portalUnusable(
    portalText(portal),
    `this host does not have the address ${portal.ip}`,
    'set iscsi_ip_address to one of its addresses (ip -br address), or bring up the interface',
  );
}

/** Whether this host has the address. */
export function isHere({ ip }: Portal): boolean {
  return hostAddresses().some(({ address }) => canonicalIp(address) === ip);
}

function hostAddresses() {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
}
