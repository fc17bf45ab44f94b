import { BlockList, isIP, isIPv6 } from 'node:net';
import { text } from './flag.ts';

/** Addresses that hosts cannot connect to, or only with the name of an interface beside them, which differs from host to host. */
const unreachable = [
  { kind: 'link-local', rules: [['fe80::', 10, 'ipv6']] },
  {
    kind: 'for multicast or broadcast',
    rules: [
      ['ff00::', 8, 'ipv6'],
      ['224.0.0.0', 4, 'ipv4'],
      ['255.255.255.255', 32, 'ipv4'],
    ],
  },
  {
    kind: 'that of all addresses',
    rules: [
      ['0.0.0.0', 32, 'ipv4'],
      ['::', 128, 'ipv6'],
    ],
  },
] as const;

const kinds = unreachable.map(({ kind, rules }) => {
  const list = new BlockList();
  for (const [network, bits, family] of rules) list.addSubnet(network, bits, family);
  return { kind, list };
});

/** One IPv4 or IPv6 address that is given to hosts. `also` is a value beside it that is allowed. */
export function reachableAddress({ also }: { also?: '' } = {}) {
  return text.superRefine((address, context) => {
    const problem = address === also ? undefined : problemOf(address);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
}

function problemOf(address: string): string | undefined {
  if (isIP(address) === 0) return 'must be one IPv4 or IPv6 address, without brackets';
  const [ip = '', zone] = address.split('%');
  // IPv4 addresses in the form of IPv6 are found by the rules of IPv4.
  const found = kinds.find(({ list }) => list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4'));
  if (found) return `must be an address that hosts can reach: ${address} is ${found.kind}`;
  return zone === undefined ? undefined : `must be an address that hosts can reach, without an interface: %${zone}`;
}
