import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { TlsFiles } from '../tls-files.ts';
import { flag, listOf, oneOf, text, whole, yesNo } from './flag.ts';

export const listenRule = 'must be address:port or [IPv6 address]:port, separated by commas; port 0: one that is free';

/** For the daemon, which serves the API where it has an address for it. */
export const apiFlags = {
  api_listen: flag(
    listOf(isListenAddress, listenRule),
    [],
    'addresses at which this node serves the Block Storage API, such as 192.0.2.7:8776; empty: none',
  ),
  api_tls_cert: flag(
    text,
    '',
    'file with the certificate of the API and those of its authorities, in PEM: it is served by TLS; empty: plain HTTP',
  ),
  api_tls_key: flag(text, '', 'file with the private key of api_tls_cert, in PEM, which other users cannot read'),
  api_url: flag(
    text,
    '',
    'address of the API as clients know it, where it differs from that of their requests, such as that of a proxy',
  ),
  api_max_limit: flag(whole(1, 10_000), 1000, 'records that one answer of the API has at most'),
  api_timeout: flag(whole(1, 3600), 60, 'time that a request to the API waits for a node', { unit: 'seconds' }),
  api_rate_limit: flag(
    whole(0, 100_000),
    0,
    'requests a second that one user of a project may send to this node, or one address without a valid token; 0: no limit',
  ),
  api_rate_burst: flag(whole(1, 100_000), 100, 'requests beyond api_rate_limit that a caller may send at once'),
  api_max_requests: flag(whole(1, 100_000), 1000, 'requests that this node answers at a time'),
  api_max_requests_per_caller: flag(
    whole(1, 100_000),
    250,
    'requests of one user of a project that this node answers at a time',
  ),
  api_max_connections_per_address: flag(
    whole(1, 100_000),
    1000,
    'connections to the API of this node that one address may have open, which can be that of a proxy',
  ),
  default_volume_type: flag(
    text,
    '',
    'type, by its name or id, of volumes that are created by the API without one and have no snapshot or volume as their source; empty: none',
  ),
  auth_strategy: flag(
    oneOf('auto', 'noauth', 'local', 'keystone'),
    'auto',
    'how the API finds out who sends a request: noauth, everybody is an administrator; local, by users and tokens in Redis; keystone, by an identity service, see keystone_url; auto: local where api_listen has an address beyond loopback, otherwise noauth',
  ),
  api_noauth_beyond_loopback: flag(
    yesNo,
    false,
    'with auth_strategy noauth: serve everybody who reaches api_listen as an administrator, also from other machines',
  ),
  token_lifetime: flag(whole(10, 2_592_000), 3600, 'time for which a token of auth_strategy local is valid', {
    unit: 'seconds',
  }),
};

/** Returns the files of the certificate of the API; undefined where it speaks plain HTTP. */
export function apiTlsFiles(flags: { api_tls_cert: string; api_tls_key: string }): TlsFiles | undefined {
  const { api_tls_cert: cert, api_tls_key: key } = flags;
  return cert === '' ? undefined : { certFlag: 'api_tls_cert', cert, keyFlag: 'api_tls_key', key };
}

/** Whether it is one of a list of addresses and ports. */
export function isListenAddress(item: string): boolean {
  return listenAddress(item) !== undefined;
}

/** Returns the parts of an address of `api_listen`; undefined where it is none. */
export function listenAddress(item: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(item) ?? [];
  const host = bracketed ?? plain ?? '';
  const isAddress = bracketed === undefined ? isIPv4(host) : isIPv6(host);
  return isAddress && Number(port) <= 65_535 ? { host, port: Number(port) } : undefined;
}

/** Returns the address of `api_listen` that other machines reach; undefined where there is none. */
export function openAddress({ api_listen: items }: { api_listen: readonly string[] }): string | undefined {
  return items.find((item) => !isLoopback(listenAddress(item)?.host ?? ''));
}

/** Returns the strategy that holds. */
export function authStrategy(flags: {
  api_listen: readonly string[];
  auth_strategy: 'auto' | 'noauth' | 'local' | 'keystone';
}): 'noauth' | 'local' | 'keystone' {
  if (flags.auth_strategy !== 'auto') return flags.auth_strategy;
  return openAddress(flags) === undefined ? 'noauth' : 'local';
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine reaches an address. */
export function isLoopback(host: string): boolean {
  return loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}
