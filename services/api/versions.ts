import { z } from 'zod';
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

/** What versionsDocument() makes. */
export const versionsAnswer = z.strictObject({
  versions: z.array(
    z.strictObject({
      id: z.string(),
      status: z.string(),
      version: z.string(),
      min_version: z.string(),
      updated: z.string(),
      links: z.array(z.strictObject({ rel: z.literal('self'), href: z.string() })),
      'media-types': z.array(z.strictObject({ base: z.string(), type: z.string() })),
    }),
  ),
});
