/** Whether two lists admit the same hosts, in whichever of the usual forms Ethernet addresses are written. */
export function sameHosts(one: readonly string[], other: readonly string[]): boolean {
  const plain = (hosts: readonly string[]) =>
    [...new Set(hosts.map((host) => host.toLowerCase().replaceAll(/[:-]/g, '')))].toSorted().join(' ');
  return plain(one) === plain(other);
}
