import { isIP } from 'node:net';

/** Returns the image of an address; undefined for any text that is not of the form of sheepdogAddress(). */
export function tryParseSheepdogAddress(text: string): string | undefined {
  return /^sheepdog:(volume-[0-9a-f-]{36})$/.exec(text)?.[1];
}

export function sheepdogAddress(image: string): string {
  return `sheepdog:${image}`;
}

/** Where a daemon of the cluster listens, in the form of a URL. */
export function sheepdogEndpoint(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Returns undefined for any text that is not of the form of sheepdogEndpoint(). */
export function tryParseSheepdogEndpoint(text: string): { host: string; port: string } | undefined {
  const [, six, four = '', port = ''] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/i.exec(text) ?? [];
  const host = six ?? four;
  return isIP(host) === (six === undefined ? 4 : 6) ? { host, port } : undefined;
}
