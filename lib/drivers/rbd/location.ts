/** A snapshot of an image, as an image store names it. */
export interface ImageLocation {
  fsid: string;
  pool: string;
  image: string;
  snapshot: string;
}

/**
 * Returns the parts of `rbd://<fsid>/<pool>/<image>/<snapshot>`, each percent-encoded; undefined for another URL, and for names that
 * rbd would take for an option, or for a pool, an image and a snapshot in one.
 */
export function tryParseLocation(location: string): ImageLocation | undefined {
  const parts = /^rbd:\/\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(location)?.slice(1).map(decoded) ?? [];
  const [fsid, pool, image, snapshot] = parts;
  if (fsid === undefined || pool === undefined || image === undefined || snapshot === undefined) return undefined;
  return { fsid, pool, image, snapshot };
}

function decoded(part: string): string | undefined {
  try {
    const name = decodeURIComponent(part);
    return /^-|[/@\p{Cc}]/u.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}
