/** The libvirt of the host, for all its users. */
export const defaultLibvirtUri = 'qemu:///system';

/**
 * Returns the libvirt connection of an attachment's domain: the one that was given, else the one that the disk was attached through.
 * Another libvirt knows nothing of the domain, and would leave the disk in it.
 */
export function libvirtUriOf(given: string | undefined, recorded: string): string {
  return given ?? (recorded || process.env['LIBVIRT_DEFAULT_URI'] || defaultLibvirtUri);
}
