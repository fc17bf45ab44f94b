import { networkInterfaces } from 'node:os';
import { errors } from '../errors.ts';
import { type Portal, portalText } from './address.ts';
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

/** Before a target begins to listen. Throws PortalUnusable. */
export async function checkPortalUsable(portal: Portal): Promise<void> {
  checkIsHere(portal);
  const holder = await listenerOn(portal);
  if (holder !== undefined) throw errors.portalTaken(portalText(portal), holder);
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

/** IPv6 has several forms of one address: targets are compared by the shortest, which tgtd prints and the URL standard has. */
function canonicalIp(ip: string): string {
  return ip.includes(':') ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;
}
