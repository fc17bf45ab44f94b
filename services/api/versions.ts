import { newest, oldest, versionText } from './microversion.ts';

function description(origin: string) {
  return {
    id: 'v3.0',
    status: 'CURRENT',
    version: versionText(newest),
    min_version: versionText(oldest),
    updated: '2022-08-30T00:00:00Z',
    links: [{ rel: 'self', href: `${origin}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
  };
}

/** The answer to clients that ask what is served. */
export function versionsDocument(origin: string) {
  return { versions: [description(origin)] };
}
