/** Whether two lists admit the same hosts, in whichever of the usual forms Ethernet addresses are written. */
export function sameHosts(one: readonly string[], other: readonly string[]): boolean {
  const plain = (hosts: readonly string[]) => [...new Set(hosts.map(canonical))].toSorted().join(' ');
  return plain(one) === plain(other);
}

/** Only an Ethernet address: in the name of an initiator each character counts. */
function canonical(host: string): string {
  const text = host.toLowerCase();
  const digits = text.replaceAll(/[:-]/g, '');
  return /^[0-9a-f]{12}$/.test(digits) ? digits : text;
}
