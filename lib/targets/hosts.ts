/** Whether two lists admit the same hosts, in whichever of the usual forms Ethernet addresses are written. */
export function sameHosts(one: readonly string[], other: readonly string[]): boolean {
  const plain = (hosts: readonly string[]) => [...new Set(hosts.map(canonical))].toSorted().join(' ');
  return plain(one) === plain(other);
}

/** Returns the hosts that one list admits beyond another, empty: all; undefined where it admits no more. Each list may be empty: all. */
export function hostsBeyond(admitted: readonly string[], known: readonly string[]): readonly string[] | undefined {
  if (known.length === 0) return undefined;
  if (admitted.length === 0) return [];
  const others = admitted.filter((host) => !known.some((one) => sameHosts([one], [host])));
  return others.length === 0 ? undefined : others;
}

/** Only an Ethernet address: in the name of an initiator each character counts. */
function canonical(host: string): string {
  const text = host.toLowerCase();
  const digits = text.replaceAll(/[:-]/g, '');
  return /^[0-9a-f]{12}$/.test(digits) ? digits : text;
}
