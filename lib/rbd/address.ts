/** Where a volume is on Ceph. All other code handles an address as opaque text; this is the only file that knows its form. */
export interface RbdAddress {
  pool: string;
  image: string;
}

/** Returns undefined for any text that is not of the form of rbdAddress(). */
export function tryParseRbdAddress(text: string): RbdAddress | undefined {
  const [, pool, image] = /^rbd:([A-Za-z0-9_.][A-Za-z0-9_.-]*)\/(volume-[0-9a-f-]{36})$/.exec(text) ?? [];
  return pool === undefined || image === undefined ? undefined : { pool, image };
}

export function rbdAddress(pool: string, image: string): string {
  return `rbd:${pool}/${image}`;
}

/** Returns pool and image as Ceph and libvirt write them. */
export function rbdName({ pool, image }: RbdAddress): string {
  return `${pool}/${image}`;
}
