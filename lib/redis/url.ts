import { isIPv6 } from 'node:net';

export interface Endpoint {
  host: string;
  port: number;
}

export type RedisUrl = { db: number; user: string; password: string } & (
  | { path: string }
  | (Endpoint & { tls: boolean })
);

const usualPort = 6379;

const unixForm =
  'must be unix: and an absolute path, such as unix:/run/redis/redis.sock: after two slashes a host would follow';
const hostForm = 'must name a host by its name or address, without blanks and special characters';
const portForm = 'must have a port from 1 to 65535 after the host';

/** Reads a redis_url. Throws an Error whose message names what is wrong and shows nothing of the URL. */
export function parseRedisUrl(text: string): RedisUrl {
  const scheme = 'must begin with redis://, rediss:// or unix:';
  if (!/^[a-z][a-z+.-]*:/i.test(text)) throw new Error(scheme);
  if (!URL.canParse(text)) throw new Error(reasonOf(text));
  const url = new URL(text);
  if (!['redis:', 'rediss:', 'unix:'].includes(url.protocol)) {
    throw new Error(scheme);
  }
  if (url.hash !== '') throw new Error('must not have a #: percent-encode it as %23');
  const isUnix = url.protocol === 'unix:';
  const inQuery = url.searchParams.get('db') ?? '';
  const names = [...url.searchParams.keys()];
  if (names.some((name) => name !== 'db')) throw new Error('may have ?db=, nothing else');
  if (names.length > 1) throw new Error('may have ?db= once');
  const inPath = isUnix ? '' : url.pathname.slice(1);
  const database = inPath || inQuery || '0';
  if (!/^\d{1,7}$/.test(database) || (inPath !== '' && inQuery !== '')) {
    throw new Error('must end with the number of a database or none: percent-encode a / in user or password');
  }
  const common = { db: Number(database), user: decoded(url.username), password: decoded(url.password) };
  if (isUnix) {
    const path = decoded(url.pathname);
    if (url.hostname !== '' || !path.startsWith('/') || path.includes('\0')) throw new Error(unixForm);
    return { ...common, path };
  }
  // The name of another script is percent-encoded: no such host is found.
  if (url.hostname === '' || /[%,]/.test(url.hostname)) throw new Error(hostForm);
  if (url.port === '0') throw new Error(portForm);
  const tls = url.protocol === 'rediss:';
  return { ...common, tls, host: withoutBrackets(url.hostname), port: Number(url.port || usualPort) };
}

/** Returns why a text that begins as a redis_url does is no URL. */
function reasonOf(text: string): string {
  const [, scheme = '', authority = '', rest = ''] = /^([^:]*):(?:\/\/)?([^/?#]*)(.*)$/s.exec(text) ?? [];
  if (scheme.toLowerCase() === 'unix') return unixForm;
  const [, host = '', port = ''] = /^(?:.*@)?(\[.*\]|[^:]*)(?::(.*))?$/s.exec(authority) ?? [];
  if (rest.includes('@')) return 'is not a URL: percent-encode special characters of user and password';
  if (host.startsWith('[') && host.includes('%')) {
    return 'must have an IPv6 address without a zone (%): set redis_host to one with a zone';
  }
  if (host.startsWith('[') && !isIPv6(withoutBrackets(host))) return 'must have a valid IPv6 address in brackets';
  return port !== '' && !(/^\d+$/.test(port) && Number(port) <= 65_535) ? portForm : hostForm;
}

/** Reads host, host:port or [IPv6]:port. Throws an Error whose message says what it must be. */
export function parseEndpoint(text: string, defaultPort: number): Endpoint {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]\s/@]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = isIPv6(text) ? text : (bracketed ?? plain);
  const number = Number(port ?? defaultPort);
  if (host === undefined || (bracketed !== undefined && !isIPv6(bracketed)) || number < 1 || number > 65_535) {
    throw new Error('must be host, host:port or [IPv6 address]:port');
  }
  return { host, port: number };
}

/** Reads a host alone, an IPv6 address also in brackets. Throws an Error whose message says what it must be. */
export function parseHost(text: string): string {
  const host = withoutBrackets(text);
  if (isIPv6(host) || /^[^:[\]\s/@,]+$/.test(text)) return host;
  throw new Error('must be the name or address of a host, without a port');
}

function withoutBrackets(host: string): string {
  return /^\[(.*)\]$/.exec(host)?.[1] ?? host;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('has a % that begins no percent-encoding: write %25');
  }
}
