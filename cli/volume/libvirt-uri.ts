import { hostname } from 'node:os';
import { errors } from '../../lib/errors.ts';

/** The libvirt of the host, for all its users. */
export const defaultLibvirtUri = 'qemu:///system';

/**
 * Returns the libvirt connection of an attachment's domain: the one that was given, else the one that the disk was attached through.
 * Another libvirt knows nothing of the domain, and would leave the disk in it.
 */
export function libvirtUriOf(given: string | undefined, recorded: string): string {
  return given ?? (recorded || process.env['LIBVIRT_DEFAULT_URI'] || defaultLibvirtUri);
}

/**
 * Throws InvalidArgument for the libvirt of another host, which would look for the device there; for an alias of libvirt.conf, which can
 * be one; and for a URI with a password, which the record would show.
 */
export function checkLibvirtUri(uri: string): void {
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri) ?? [];
  if (authority === undefined) throw errors.libvirtUriRefused(`"${uri}" is no URI`);
  const [, user = '', host = ''] = /^(?:(.*)@)?(.*?)(?::\d+)?$/.exec(authority) ?? [];
  if (user.includes(':'))
    throw errors.libvirtUriRefused('has a password, which libvirt takes from its file auth.conf only');
  if (['', 'localhost', '127.0.0.1', '[::1]', hostname()].includes(host)) return;
  throw errors.libvirtUriRefused(`${uri} leads to another host: run the command there`);
}
