import { errors } from '../../lib/errors.ts';

/** Versions of the API are 3.x; code names them by x. Those of the Block Storage API v3 that clients were made for. */
export const oldest = 0;
export const newest = 70;

/** Returns x of the version that a request asks for, in `OpenStack-API-Version: volume 3.x`; without one, the oldest. Throws NoSuchVersion. */
export function versionAsked(header: string | undefined): number {
  const [, text = `3.${oldest}`] = /(?:^|,)\s*volume\s+([^\s,]+)\s*(?:,|$)/i.exec(header ?? '') ?? [];
  if (text.toLowerCase() === 'latest') return newest;
  const [, minor] = /^3\.(\d{1,4})$/.exec(text) ?? [];
  const version = Number(minor ?? Number.NaN);
  if (version >= oldest && version <= newest) return version;
  throw errors.noSuchVersion(text.slice(0, 40), versionText(oldest), versionText(newest));
}

export function versionText(version: number): string {
  return `3.${version}`;
}
