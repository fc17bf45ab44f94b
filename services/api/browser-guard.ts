import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { errors } from '../../lib/errors.ts';

/**
 * Keeps pages of other sites out that a browser has open: they could use an API that trusts everybody who reaches it. Throws ForeignPage.
 * `url`: the address of the API as clients know it; '' = that of their requests.
 */
export function refuseForeignPages(
  request: FastifyRequest,
  { url, trustsEverybody }: { url: string; trustsEverybody: boolean },
): void {
  const { headers, method } = request;
  const site = headers['sec-fetch-site'];
  const isLink = method === 'GET' && headers['sec-fetch-mode'] === 'navigate';
  if ((site === 'cross-site' || site === 'same-site') && !isLink) throw errors.foreignPage(nameIn(headers.origin));
  // A name that leads to this machine can be that of a page elsewhere, which is of the same site then.
  if (!trustsEverybody || headers['user-agent']?.startsWith('Mozilla/') !== true) return;
  const host = hostOf(request.host);
  if (isIP(host) === 0 && host !== 'localhost' && !host.endsWith('.localhost') && host !== hostOf(nameIn(url))) {
    throw errors.foreignPage(host);
  }
}

/** Returns the host of an address, and its port; '' where it is none. */
function nameIn(address: string | undefined): string {
  return URL.canParse(address ?? '') ? new URL(address ?? '').host : '';
}

/** Without port, and without the brackets of IPv6. */
function hostOf(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}
