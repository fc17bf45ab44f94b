/** IPv6 has several forms of one address: they are compared by the shortest, which tgtd prints and the URL standard has. */
export function canonicalIp(ip: string): string {
  return ip.includes(':') ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip;
}
